"use strict";
// Sort a table by the column whose heading is pressed: figures largest first, then smallest, words from A on. What is
// missing stays last either way.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const numeric = heading.classList.contains("n"), before = heading.getAttribute("aria-sort");
    const down = before === "none" ? numeric : before === "ascending";
    headings.forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      if (numeric) return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
      const text = cell.textContent.trim();
      return text === "" || text === "–" ? null : text.toLowerCase();
    };
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = numeric ? a - b : a.localeCompare(b, "en", { numeric: true });
      return down ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  }));
}
// Show the rows that hold every word of the filter.
for (const input of document.querySelectorAll(".filter input")) {
  const rows = [...input.closest(".table").querySelector("tbody").rows];
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
// A link into something folded unfolds it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target && target.closest("details");
  if (fold) { fold.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", unfold);
unfold();
// Print what is folded, but for the longest list.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details[data-print]:not([open])")];
  opened.forEach((fold) => { fold.open = true; });
});
addEventListener("afterprint", () => {
  opened.forEach((fold) => { fold.open = false; });
  opened = [];
});
