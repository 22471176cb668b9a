"use strict";
(() => {
  const root = document.documentElement;
  const toggle = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  let theme = 0;
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    theme = (theme + 1) % themes.length;
    root.dataset.theme = themes[theme];
    toggle.querySelector("span").textContent = themes[theme];
  });

  // A value that was not measured sorts last in both directions.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
  };
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  for (const button of document.querySelectorAll("th > button")) {
    button.addEventListener("click", () => {
      const header = button.parentElement;
      const table = header.closest("table");
      const rising = header.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => {
        const x = keyOf(a, header.cellIndex), y = keyOf(b, header.cellIndex);
        if ((x === "") !== (y === "")) return x === "" ? 1 : -1;
        return rising ? compare(x, y) : compare(y, x);
      });
      body.append(...rows);
    });
  }

  const open = (id) => {
    const row = document.getElementById(id);
    if (!row) return;
    for (let at = row.parentElement; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    for (const old of document.querySelectorAll(".chosen")) old.classList.remove("chosen");
    row.classList.add("chosen");
    for (const dot of document.querySelectorAll(".dot")) dot.classList.toggle("chosen", dot.dataset.run === id);
    row.scrollIntoView({ block: "center" });
  };
  document.addEventListener("click", (event) => {
    const dot = event.target.closest(".dot");
    if (dot) open(dot.dataset.run);
  });
  const follow = () => location.hash.startsWith("#run-") && open(location.hash.slice(1));
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", () => {
    // Videos do not print, and opening their box loads them.
    for (const details of document.querySelectorAll("details:not(.v-videos)")) details.open = true;
  });
  follow();
})();
