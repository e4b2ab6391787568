// The plan's pages: the print button, marks on changed lines of a budget, and its chart.
(function () {
  "use strict";

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  for (const input of document.querySelectorAll(".budget-form [name]")) {
    const row = input.closest("tr");
    if (!row) continue;
    const mark = () => {
      const filled = [...row.querySelectorAll("[name]")].some((each) => each.value.trim() !== "");
      row.classList.toggle("is-changed", filled);
    };
    input.addEventListener("input", mark);
    mark();
  }

  const box = document.querySelector("[data-budget]");
  if (!box || !window.echarts) return;
  const data = JSON.parse(document.getElementById(box.dataset.budget).textContent);
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const text = { color: token("--ink-2"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 14 };
  const colours = { a: token("--series-medical"), b: token("--series-pension") };
  const largest = Math.max(0, ...data.series.flatMap((each) => each.values.map(Math.abs)));
  const scale = largest >= 20000 ? 10000 : 1;
  const unit = scale === 1 ? data.words.yuan : data.words.ten_thousand;
  const shown = (value) => value.toLocaleString("zh-CN", { maximumFractionDigits: scale === 1 ? 0 : 1 });

  const chart = window.echarts.init(box, null, { renderer: "canvas" });
  chart.setOption({
    animation: false,
    grid: { left: 8, right: 16, top: 32, bottom: 8, containLabel: true },
    xAxis: {
      type: "category", data: data.townships, axisTick: { show: false },
      axisLine: { lineStyle: { color: token("--line-strong") } },
      axisLabel: Object.assign({ interval: 0, rotate: data.townships.length > 9 ? 40 : 0 }, text),
    },
    yAxis: {
      type: "value", name: unit, nameTextStyle: text, axisLabel: Object.assign({ formatter: shown }, text),
      splitLine: { lineStyle: { color: token("--grid") } },
    },
    series: data.series.map((each) => ({
      type: "bar", silent: true, barMaxWidth: 22,
      itemStyle: { color: colours[each.scenario], opacity: each.part === "personal" ? 1 : 0.45 },
      data: each.values.map((value) => value / scale),
    })),
  });
  new ResizeObserver(() => chart.resize()).observe(box);
})();
