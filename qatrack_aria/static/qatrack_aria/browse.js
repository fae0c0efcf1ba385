/* A box that finds a plan in a long list, and buttons that say that they are at work. Without this
   script all is there, and works. Old JavaScript on purpose: QATrack+ 3.1.1 meets old browsers. */
(function () {
    "use strict";

    var LONG = 8; // rows; fewer are seen at a glance

    function each(selector, act) {
        Array.prototype.forEach.call(document.querySelectorAll(selector), act);
    }

    function addFilter(table) {
        var rows = table.tBodies[0].rows;
        if (rows.length <= LONG) { return; }
        var place = table.parentNode;
        var paragraph = document.createElement("p");
        var label = document.createElement("label");
        var box = document.createElement("input");
        var told = document.createElement("span");
        paragraph.className = "aria-filter";
        box.type = "search";
        box.id = "aria-filter";
        box.className = "vTextField";
        label.htmlFor = box.id;
        label.textContent = table.getAttribute("data-filter") + ":";
        told.className = "help";
        told.setAttribute("role", "status");
        box.addEventListener("input", function () {
            var wanted = box.value.toLowerCase();
            var shown = 0;
            Array.prototype.forEach.call(rows, function (row) {
                row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
                shown += row.hidden ? 0 : 1;
            });
            told.textContent = wanted ? " " + shown + " of " + rows.length : "";
        });
        paragraph.appendChild(label);
        paragraph.appendChild(box);
        paragraph.appendChild(told);
        place.parentNode.insertBefore(paragraph, place);
    }

    function write(button, text) {
        if (button.tagName === "INPUT") { button.value = text; } else { button.textContent = text; }
    }

    // Buttons that are at work, and what they said before.
    var busy = [];

    function showBusy(form) {
        var button = form.querySelector("[data-busy]");
        if (!button) { return; }
        form.addEventListener("submit", function (event) {
            if (button.getAttribute("aria-disabled") === "true") {
                event.preventDefault(); // a second press of the same
                return;
            }
            busy.push([button, button.value || button.textContent, button.getAttribute("aria-label")]);
            button.setAttribute("aria-disabled", "true");
            button.removeAttribute("aria-label");
            write(button, button.getAttribute("data-busy"));
        });
    }

    // Whoever comes back finds the page as it was left: with buttons still at work.
    window.addEventListener("pageshow", function () {
        busy.forEach(function (one) {
            one[0].removeAttribute("aria-disabled");
            if (one[2]) { one[0].setAttribute("aria-label", one[2]); }
            write(one[0], one[1]);
        });
        busy = [];
    });

    each("table[data-filter]", addFilter);
    each(".aria-browse form", showBusy);
}());
