// Ticking rows of a list: all of the page at once, and how many are ticked.
(function () {
  "use strict";

  const form = document.querySelector("[data-rows]");
  if (!form) return;
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox]")];
  const every = form.querySelector("[data-every]");
  const all = form.querySelector("input[name=all]");
  const told = form.querySelector("[data-ticked]");

  function show() {
    const ticked = boxes.filter((box) => box.checked).length;
    every.checked = ticked === boxes.length;
    every.indeterminate = ticked > 0 && ticked < boxes.length;
    const count = all && all.checked ? Number(all.dataset.count) : ticked;
    told.textContent = told.dataset.words.replace("0", count.toLocaleString("zh-CN"));
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = count === 0;
  }

  every.hidden = false;
  every.addEventListener("change", () => {
    for (const box of boxes) box.checked = every.checked;
    show();
  });
  form.addEventListener("change", show);
  show();
})();
