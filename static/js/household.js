// The running total of what is ticked. The server adds up again from the charges.
const form = document.getElementById("pay");
const total = form.querySelector("[data-total]");

function show() {
  if (!total) return;
  let fen = 0;
  for (const box of form.querySelectorAll("input[name=line]:checked")) {
    fen += Math.round(Number(box.dataset.yuan) * 100);
  }
  total.textContent = (fen / 100).toLocaleString("zh-CN", { minimumFractionDigits: 2 });
  form.querySelector("button[type=submit].button--main").disabled = fen === 0;
}

form.addEventListener("change", show);
show();
