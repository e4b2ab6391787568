// The trend of the leader's page: cumulative percent by day, the outlook dashed, last year grey, names at the lines.
// Data stand in a json element named by data-chart; colours come from the page's tokens.
(function () {
  "use strict";

  const box = document.querySelector("[data-chart]");
  if (!box || !window.echarts) return;
  const data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ink = token("--ink-2");
  const font = getComputedStyle(document.body).fontFamily;
  const colours = { medical: token("--series-medical"), pension: token("--series-pension") };

  const shown = (day) => {
    const date = new Date(day);
    return `${date.getMonth() + 1}月${date.getDate()}日`;
  };
  const percent = (value) => `${value.toFixed(1)}%`;

  function label(text, colour, position) {
    return { show: true, formatter: text, color: colour, fontWeight: 700, fontFamily: font, fontSize: 14, position };
  }

  function line(points, colour, extra) {
    return Object.assign(
      { type: "line", data: points, showSymbol: false, silent: true, animation: false,
        lineStyle: { color: colour, width: 3 }, itemStyle: { color: colour } },
      extra
    );
  }

  // Of two names that would touch at the right edge, the lower one goes below its line.
  function places(lines) {
    const ends = lines.map((each) => (each.ahead.at(-1) || each.points.at(-1) || [0, 0])[1]);
    const top = Math.max(...ends);
    return ends.map((end) => (end < top ? [0, 14] : [0, -4]));
  }

  function series(narrow) {
    const all = [];
    const offsets = places(data.lines);
    data.lines.forEach((each, index) => {
      const colour = colours[each.name] || ink;
      const last = each.points.at(-1);
      if (each.before.length) {
        all.push(line(each.before, token("--series-before"), {
          z: 1, lineStyle: { color: token("--series-before"), width: 2 },
        }));
      }
      if (!last) return;
      all.push(line(each.points, colour, { z: 3 }));
      all.push({
        type: "line", silent: true, animation: false, z: 4, data: [last], symbol: "circle", symbolSize: 12,
        itemStyle: { color: colour, borderColor: token("--surface"), borderWidth: 2 },
        label: Object.assign(label(`${each.label} ${percent(last[1])}`, colour, index ? "right" : "left"), {
          offset: index ? [2, 12] : [-2, -10],
        }),
      });
      if (each.ahead.length) {
        const end = each.ahead.at(-1);
        all.push(line([last].concat(each.ahead), colour, {
          z: 2, lineStyle: { color: colour, width: 3, type: [7, 5] },
          endLabel: Object.assign(label(`${each.label} ${Math.round(end[1])}%`, colour), {
            offset: offsets[index], distance: narrow ? 4 : 8,
          }),
        }));
      }
    });
    all.push(line([[data.today, 0], [data.today, 100]], token("--ink-3"), {
      z: 0, lineStyle: { color: token("--ink-3"), width: 1, type: [2, 3] },
      endLabel: { show: true, formatter: data.words.today, color: ink, fontFamily: font, fontSize: 14,
        align: "right", offset: [-12, 12] },
    }));
    return all;
  }

  // First and last day, and between them the 1st and 15th of each month, none too near another.
  function ticks(narrow) {
    if (!data.opens) return undefined;
    const first = new Date(data.opens), last = new Date(data.closes), gap = (narrow ? 25 : 7) * 86400000;
    const found = [first];
    for (let day = new Date(first); day < last; day.setDate(day.getDate() + 1)) {
      const near = day - found.at(-1) < gap || last - day < gap;
      if ((day.getDate() === 1 || day.getDate() === 15) && !near) found.push(new Date(day));
    }
    return found.concat([last]).map(Number);
  }

  function option() {
    const narrow = box.clientWidth < 520;
    const text = { color: ink, fontFamily: font, fontSize: 14 };
    return {
      animation: false,
      aria: { enabled: false },
      grid: { left: narrow ? 32 : 40, right: narrow ? 78 : 84, top: 18, bottom: 30, containLabel: false },
      xAxis: {
        type: "time",
        min: data.opens || undefined,
        max: data.closes || undefined,
        axisLine: { show: false },
        axisTick: { show: false },
        splitLine: { show: false },
        axisLabel: Object.assign({
          formatter: shown, customValues: ticks(narrow), hideOverlap: true, showMinLabel: true, showMaxLabel: true,
          alignMinLabel: "left",
        }, text),
      },
      yAxis: {
        type: "value", min: 0, max: 100, interval: 25,
        axisLabel: Object.assign({ formatter: "{value}" }, text),
        splitLine: { lineStyle: { color: token("--grid") } },
      },
      series: series(narrow),
    };
  }

  const chart = window.echarts.init(box, null, { renderer: "canvas" });
  chart.setOption(option());
  new ResizeObserver(() => {
    chart.resize();
    chart.setOption(option(), true);
  }).observe(box);
})();
