"use strict";
// Sort a table by the column whose heading is pressed: figures largest first, then smallest first; words from A on.
// Missing figures always come last.
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
// A tooltip beside a mark of a figure when the pointer is on it. By keyboard, Tab reaches a figure's first mark, and
// arrows the others.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true"); // the mark's label says the same
document.body.append(tip);
let shown = null;
const place = () => {
  if (!shown) return;
  const box = shown.getBoundingClientRect(), left = box.left + (box.width - tip.offsetWidth) / 2;
  tip.style.left = `${Math.max(4, Math.min(left, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${box.top - tip.offsetHeight < 12 ? box.bottom + 8 : box.top - tip.offsetHeight - 8}px`;
};
const show = (mark, text) => {
  shown = mark;
  tip.textContent = text;
  tip.hidden = false;
  place();
};
const hide = () => {
  shown = null;
  tip.hidden = true;
};
addEventListener("scroll", place, true);
addEventListener("resize", place);
const order = (mark) => Number(mark.id.slice(mark.id.lastIndexOf("-") + 1));
for (const svg of document.querySelectorAll("figure svg")) {
  const marks = [...svg.querySelectorAll(".mark")].sort((a, b) => order(a) - order(b));
  marks.forEach((mark, number) => {
    const title = mark.querySelector("title"), text = title.textContent;
    mark.setAttribute("aria-label", text.replaceAll("\n", ", "));
    title.remove(); // or the browser would show it as well
    mark.tabIndex = number ? -1 : 0;
    for (const name of ["pointerenter", "focus"]) mark.addEventListener(name, () => show(mark, text));
    for (const name of ["pointerleave", "blur"]) mark.addEventListener(name, hide);
    mark.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const next = marks[(number + step + marks.length) % marks.length];
      mark.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  });
}
// Show the rows that contain every word of the filter.
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
// A link into a collapsed item opens it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target && target.closest("details");
  if (fold) { fold.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", unfold);
unfold();
// Open collapsed items for printing, except for the longest list.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details[data-print]:not([open])")];
  opened.forEach((fold) => { fold.open = true; });
});
addEventListener("afterprint", () => {
  opened.forEach((fold) => { fold.open = false; });
  opened = [];
});
