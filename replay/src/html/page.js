// Sugar for those who have scripts: everything can be read without.
(function () {
  "use strict";
  var each = function (list, take) { Array.prototype.forEach.call(list, take); };
  var all = function (query) { return document.querySelectorAll(query); };
  var main = document.getElementById("main");

  // One switch for all that opens and closes.
  if (all("main details").length > 1) {
    var bar = document.createElement("p");
    bar.className = "tools";
    [["Open all", true], ["Close all", false]].forEach(function (it) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = it[0];
      button.addEventListener("click", function () {
        each(all("main details"), function (one) { one.open = it[1]; });
      });
      bar.appendChild(button);
    });
    main.insertBefore(bar, main.firstChild);
  }

  // Paper has no clicks: what is closed opens for it and closes again.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    each(all("details:not([open])"), function (one) { opened.push(one); one.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (one) { one.open = false; });
    opened = [];
  });

  // A link into something closed opens it.
  var reveal = function () {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    var story = target && target.querySelector("details.story");
    if (story) { story.open = true; }
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  // Tables sort by a column, numbers as numbers, equal rows as they stood.
  each(all("table.sortable"), function (table) {
    var body = table.tBodies[0];
    each(table.tHead.rows[0].cells, function (cell, at) {
      var button = document.createElement("button");
      var isNumber = cell.classList.contains("num");
      button.type = "button";
      button.textContent = cell.textContent;
      cell.textContent = "";
      cell.appendChild(button);
      button.addEventListener("click", function () {
        var down = cell.getAttribute("aria-sort") === "ascending";
        each(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        var rows = Array.prototype.slice.call(body.rows).map(function (row, place) {
          var text = row.cells[at].textContent;
          return { row: row, place: place, key: isNumber ? Number(text) : text };
        });
        rows.sort(function (one, other) {
          var order = one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
          return (down ? -order : order) || one.place - other.place;
        });
        rows.forEach(function (it) { body.appendChild(it.row); });
      });
    });
  });
})();
