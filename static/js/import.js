// Handing files over: drop them anywhere on the box, see which and how large, watch them go up.
// Without this script the plain file field does the same, one press more.
(function () {
  "use strict";

  const form = document.querySelector("[data-import]");
  if (!form) return;
  const box = form.querySelector("[data-drop]");
  const field = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-files]");
  const button = form.querySelector("button[type=submit]");
  const progress = form.querySelector("[data-progress]");
  const words = box.dataset;
  const most = Number(words.most);
  const known = field.accept.split(",");
  box.classList.add("is-live");

  const size = (bytes) =>
    bytes < 1024 * 1024
      ? `${Math.max(1, Math.round(bytes / 1024)).toLocaleString("zh-CN")} KB`
      : `${(bytes / 1024 / 1024).toFixed(1)} MB`;

  function trouble(file) {
    const name = file.name.toLowerCase();
    if (!file.size) return words.empty;
    if (file.size > most) return words.large;
    return known.some((ending) => name.endsWith(ending)) ? "" : words.unknown;
  }

  function keep(files) {
    const kept = new DataTransfer();
    files.forEach((file) => kept.items.add(file));
    field.files = kept.files;
    show();
  }

  function show() {
    const files = [...field.files];
    list.replaceChildren(
      ...files.map((file, index) => {
        const row = document.createElement("li");
        const name = document.createElement("strong");
        const told = document.createElement("span");
        const away = document.createElement("button");
        name.textContent = file.name;
        told.textContent = trouble(file) || size(file.size);
        told.className = trouble(file) ? "field__error" : "quiet";
        away.type = "button";
        away.className = "button button--quiet";
        away.textContent = words.away;
        away.setAttribute("aria-label", `${words.away} ${file.name}`);
        away.addEventListener("click", () => keep(files.filter((_file, other) => other !== index)));
        row.append(name, told, away);
        return row;
      })
    );
    list.hidden = !files.length;
    button.disabled = files.some((file) => !file.size || file.size > most);
  }

  field.addEventListener("change", show);
  for (const name of ["dragenter", "dragover"]) {
    box.addEventListener(name, (event) => {
      event.preventDefault();
      box.classList.add("is-over");
    });
  }
  for (const name of ["dragleave", "drop"]) box.addEventListener(name, () => box.classList.remove("is-over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) keep([...field.files, ...event.dataTransfer.files]);
  });

  // A file dropped beside the box must not replace the page.
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

  function ready() {
    form.removeAttribute("aria-busy");
    progress.hidden = true;
    show();
  }

  function refused(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const told = page.querySelector("main [role=alert]");
    document.querySelector("main [role=alert]")?.remove();
    const note = told ? document.importNode(told, true) : document.createElement("div");
    if (!told) {
      note.className = "banner banner--wrong";
      note.setAttribute("role", "alert");
      note.textContent = words.failed;
    }
    form.closest("section").before(note);
    note.scrollIntoView({ block: "center" });
    ready();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    button.disabled = true;
    progress.hidden = false;
    const bar = progress.querySelector("rect:last-of-type");
    const told = progress.querySelector("[data-told]");
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (step) => {
      if (!step.lengthComputable) return;
      bar.setAttribute("width", String((100 * step.loaded) / step.total));
      told.textContent =
        step.loaded < step.total ? `${size(step.loaded)} / ${size(step.total)}` : words.sealing;
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300 && !request.responseURL.startsWith(form.action + "?")) {
        window.location.assign(request.responseURL);
      } else refused(request.responseText);
    });
    request.addEventListener("error", () => refused(""));
    request.send(new FormData(form));
  });

  window.addEventListener("pageshow", ready);
})();
