"use strict";
// Conveniences; without scripts the page shows everything.
const root = document.documentElement;
const isDark = () => root.dataset.theme
  ? root.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches;

function themeButton() {
  const button = document.createElement("button");
  const name = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
  button.type = "button";
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  name();
  document.querySelector("nav").append(button);
}

const key = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent;

function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return a.localeCompare(b, undefined, { numeric: true });
}

function sort(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => (down ? -1 : 1) * compare(key(a, column), key(b, column)));
  table.tBodies[0].append(...rows);
}

function sortable(table) {
  if (table.tBodies[0].rows.length < 4) return;
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sort(table, column));
    cell.replaceChildren(button);
  });
}

function filterable(table) {
  if (table.tBodies[0].rows.length < 4) return;
  const box = document.createElement("div"), label = document.createElement("label"),
    input = document.createElement("input"), count = document.createElement("span");
  box.className = "filter";
  input.type = "search";
  count.className = "soft";
  count.setAttribute("aria-live", "polite");
  label.append("Show rows with ", input);
  box.append(label, count);
  const rows = [...table.tBodies[0].rows];
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = input.value ? `${shown} of ${rows.length}` : "";
  });
  table.parentElement.before(box);
}

themeButton();
document.querySelectorAll("table.named").forEach(filterable);
document.querySelectorAll("table").forEach(sortable);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
