"use strict";
(function () {
  function key(row, column, numeric) {
    var cell = row.cells[column];
    if (!numeric) { return cell.textContent.trim().toLowerCase(); }
    var value = cell.getAttribute("data-v");
    return value === null ? null : Number(value);
  }
  function sort(table, column, descending) {
    var head = table.tHead.rows[0].cells, numeric = head[column].dataset.kind === "n";
    var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
    var keyed = rows.map(function (row, i) { return [key(row, column, numeric), i, row]; });
    keyed.sort(function (a, b) {
      // rows without a value come last in both directions
      if (a[0] === null || b[0] === null) { return (a[0] === null) - (b[0] === null) || a[1] - b[1]; }
      var order = numeric ? a[0] - b[0] : a[0].localeCompare(b[0], undefined, { numeric: true });
      return (descending ? -order : order) || a[1] - b[1];
    });
    keyed.forEach(function (entry) { body.appendChild(entry[2]); });
    for (var i = 0; i < head.length; i++) { head[i].removeAttribute("aria-sort"); }
    head[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  }
  function filter(input) {
    var table = document.querySelector('table[data-key="' + input.dataset.table + '"]');
    var words = input.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0, rows = table.tBodies[0].rows;
    for (var i = 0; i < rows.length; i++) {
      var text = rows[i].textContent.toLowerCase();
      var hit = words.every(function (word) { return text.indexOf(word) >= 0; });
      rows[i].hidden = !hit;
      shown += hit ? 1 : 0;
    }
    var hits = input.closest("details").querySelector(".hits");
    hits.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
  }
  // #sort=energy, #sort=ledger.count:asc, #filter=conv1 adc
  function follow() {
    var hash = decodeURIComponent(window.location.hash.slice(1));
    var wanted = /^sort=(?:([a-z]+)\.)?([a-z_0-9]+)(?::(asc|desc))?$/.exec(hash);
    if (wanted) {
      var tables = document.querySelectorAll(wanted[1] ? 'table[data-key="' + wanted[1] + '"]' : "table.sortable");
      for (var t = 0; t < tables.length; t++) {
        var th = tables[t].querySelector('th[data-col="' + wanted[2] + '"]');
        if (th && (wanted[1] || tables[t].dataset.key !== "effects")) {
          var details = tables[t].closest("details");
          if (details) { details.open = true; }
          sort(tables[t], th.cellIndex, wanted[3] ? wanted[3] === "desc" : th.dataset.kind === "n");
          return;
        }
      }
    }
    if (hash.indexOf("filter=") === 0) {
      var input = document.querySelector('input.filter[data-table="ledger"]');
      if (input) { input.value = hash.slice(7); input.closest("details").open = true; filter(input); }
    }
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest ? event.target.closest("th button") : null;
    if (!button) { return; }
    var th = button.parentNode, now = th.getAttribute("aria-sort");
    sort(th.closest("table"), th.cellIndex, now ? now === "ascending" : th.dataset.kind === "n");
  });
  document.addEventListener("input", function (event) {
    if (event.target.classList.contains("filter")) { filter(event.target); }
  });
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (d) { d.open = true; });
  });
  follow();
})();
