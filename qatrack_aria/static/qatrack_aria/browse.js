/* A box that filters a long list of plans, and buttons that show that a request is running. The page
   works without this script. It is old JavaScript, since QATrack+ 3.1.1 is used in old browsers. */
(function () {
    "use strict";

    var LONG = 8; // rows; shorter lists need no filter

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
        var count = document.createElement("span");
        paragraph.className = "aria-filter";
        box.type = "search";
        box.id = "aria-filter";
        box.className = "vTextField";
        label.htmlFor = box.id;
        label.textContent = table.getAttribute("data-filter") + ":";
        count.className = "help";
        count.setAttribute("role", "status");
        box.addEventListener("input", function () {
            var wanted = box.value.toLowerCase();
            var shown = 0;
            Array.prototype.forEach.call(rows, function (row) {
                row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
                shown += row.hidden ? 0 : 1;
            });
            count.textContent = wanted ? " " + shown + " of " + rows.length : "";
        });
        paragraph.appendChild(label);
        paragraph.appendChild(box);
        paragraph.appendChild(count);
        place.parentNode.insertBefore(paragraph, place);
    }

    function write(button, text) {
        if (button.tagName === "INPUT") { button.value = text; } else { button.textContent = text; }
    }

    // Buttons whose request is running, with their labels.
    var busy = [];

    function showBusy(form) {
        var button = form.querySelector("[data-busy]");
        if (!button) { return; }
        form.addEventListener("submit", function (event) {
            if (button.getAttribute("aria-disabled") === "true") {
                event.preventDefault(); // the form was sent already
                return;
            }
            busy.push([button, button.value || button.textContent, button.getAttribute("aria-label")]);
            button.setAttribute("aria-disabled", "true");
            button.removeAttribute("aria-label");
            write(button, button.getAttribute("data-busy"));
        });
    }

    // The back button shows the page as it was left, with these buttons still disabled.
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
