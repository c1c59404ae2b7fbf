// Tables of the report: sort by a column, filter rows, copy, download as CSV or LaTeX. Nothing is loaded or sent.
(() => {
  const text = (cell) => cell.innerText.replace(/\s+/g, " ").trim();
  const number = (value) => {
    const found = value.replace(/,/g, "").replace("−", "-").match(/^[<+]?\s*(-?\d+(\.\d+)?)/);
    return found ? Number(found[1]) : null;
  };
  const rowsOf = (table) => [...table.tBodies[0].rows];
  const shownOf = (table) => rowsOf(table).filter((row) => !row.hidden);
  const grid = (table) => [
    [...table.tHead.rows[0].cells].map(text),
    ...shownOf(table).map((row) => [...row.cells].map(text)),
  ];
  const csv = (lines) => lines.map((line) => line.map((v) => (/[",\n]/.test(v) ? `"${v.replace(/"/g, '""')}"` : v)).join(",")).join("\n") + "\n";
  const signs = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "→": "$\\to$", "<": "$<$", ">": "$>$" };
  const escaped = (value) => value.replace(/[\\~^–→<>]|[&%$#_{}]/g, (sign) => signs[sign] ?? `\\${sign}`);
  const latex = (lines) => {
    const right = lines[0].map((_, i) => lines.slice(1).some((line) => number(line[i]) !== null));
    const line = (values) => `${values.map(escaped).join(" & ")} \\\\`;
    return [`\\begin{tabular}{${right.map((is) => (is ? "r" : "l")).join("")}}`, "\\toprule", line(lines[0]), "\\midrule",
      ...lines.slice(1).map(line), "\\bottomrule", "\\end{tabular}", ""].join("\n");
  };
  const save = (name, content) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/plain;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const copy = async (content) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(content);
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = content;
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  const sortBy = (table, head, index) => {
    const rows = rowsOf(table).map((row) => ({ row, key: text(row.cells[index] ?? head), value: 0 }));
    rows.forEach((entry) => (entry.value = number(entry.key)));
    const numeric = 2 * rows.filter((entry) => entry.value !== null).length >= rows.length;
    if (!numeric) rows.forEach((entry) => (entry.value = null));
    // first the largest number, or the first in the alphabet; then the other way round
    const up = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !numeric;
    rows.sort((a, b) => {
      if ((a.value === null) !== (b.value === null)) return a.value === null ? 1 : -1; // no number comes last
      const order = a.value === null ? a.key.localeCompare(b.key) : a.value - b.value;
      return up ? order : -order;
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.forEach((entry) => table.tBodies[0].append(entry.row));
  };
  const button = (name, react) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = name;
    made.addEventListener("click", () => react(made));
    return made;
  };
  const equip = (table, place) => {
    const name = `${location.pathname.split("/").pop().replace(/\.html$/, "") || "table"}-${place + 1}`;
    const bar = document.createElement("div");
    bar.className = "table-tools";
    if (rowsOf(table).length > 7) {
      const filter = document.createElement("input");
      filter.type = "search";
      filter.placeholder = "filter rows";
      filter.setAttribute("aria-label", "filter rows");
      filter.addEventListener("input", () => {
        const wanted = filter.value.toLowerCase().split(/\s+/);
        for (const row of rowsOf(table)) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
      });
      bar.append(filter);
    }
    bar.append(
      button("copy", async (made) => {
        await copy(grid(table).map((line) => line.join("\t")).join("\n"));
        made.textContent = "copied";
        setTimeout(() => (made.textContent = "copy"), 1500);
      }),
      button("CSV", () => save(`${name}.csv`, csv(grid(table)))),
      button("LaTeX", () => save(`${name}.tex`, latex(grid(table)))),
    );
    table.before(bar);
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      const sort = document.createElement("button");
      sort.type = "button";
      sort.className = "sort";
      sort.append(...head.childNodes);
      sort.addEventListener("click", () => sortBy(table, head, index));
      head.append(sort);
    });
  };
  // A table wider than its place shows each row as a list: the name of each column, and its value.
  const label = (table) => {
    const names = [...table.tHead.rows[0].cells].map(text);
    for (const row of rowsOf(table)) {
      [...row.cells].forEach((cell, index) => {
        const box = document.createElement("div");
        box.append(...cell.childNodes);
        cell.append(box);
        cell.dataset.label = names[index];
      });
    }
  };
  const fit = (tables) => {
    for (const table of tables) table.classList.remove("stacked");
    const wide = tables.filter((table) => table.offsetWidth > table.parentElement.clientWidth + 1);
    for (const table of wide) table.classList.add("stacked");
  };
  const usable = (table) => table.tHead?.rows.length === 1 && table.tBodies.length === 1 && rowsOf(table).length > 1 &&
    !table.closest(".ser, .overview") && rowsOf(table).every((row) => row.cells.length === table.tHead.rows[0].cells.length);
  const tables = [...document.querySelectorAll("main table")].filter(usable);
  for (const table of tables) label(table);
  tables.forEach(equip);
  const notebook = tables.filter((table) => table.closest(".rendered_html"));
  fit(notebook);
  addEventListener("resize", () => fit(notebook));
})();
