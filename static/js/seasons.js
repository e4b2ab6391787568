// The list of people to confirm: tick a page at once, say how many are ticked, and no press without anybody.
(function () {
  "use strict";

  for (const form of document.querySelectorAll("[data-pick]")) {
    const lines = [...form.querySelectorAll("input[name=line]")];
    const whole = form.querySelector("[data-pick-all]");
    const everybody = form.querySelector("[data-pick-everybody]");
    const count = form.querySelector("[data-pick-count]");
    const buttons = [...form.querySelectorAll("button[name=decision]")];
    if (!lines.length || !count) continue;
    const words = count.dataset.words || "";
    const show = () => {
      const ticked = lines.filter((line) => line.checked).length;
      const all = everybody !== null && everybody.checked;
      count.hidden = all || !ticked;
      count.textContent = words.replace("0", ticked);
      if (whole) {
        whole.checked = ticked === lines.length;
        whole.indeterminate = ticked > 0 && ticked < lines.length;
      }
      for (const line of lines) line.disabled = all;
      for (const button of buttons) button.disabled = !all && !ticked;
    };
    if (whole) {
      whole.hidden = false;
      whole.addEventListener("change", () => {
        for (const line of lines) line.checked = whole.checked;
        show();
      });
    }
    form.addEventListener("change", show);
    show();
  }
})();
