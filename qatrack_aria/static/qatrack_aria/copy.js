/* Puts a "Copy" button under each text of class aria-copy. Without this script the texts can be
   selected by hand. It is old JavaScript, since QATrack+ 3.1.1 is used in old browsers. */
(function () {
    "use strict";

    var SHOWN_FOR = 2000; // ms

    function select(element) {
        var range = document.createRange();
        range.selectNodeContents(element);
        var selection = window.getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
    }

    function copySelected() {
        try {
            return document.execCommand("copy");
        } catch (error) {
            return false;
        }
    }

    function say(button, text) {
        button.textContent = text;
        window.setTimeout(function () { button.textContent = "Copy"; }, SHOWN_FOR);
    }

    function copy(element, button) {
        // Selected first, so that Ctrl+C works where copying by script does not.
        select(element);
        function oldWay() {
            say(button, copySelected() ? "Copied" : "Press Ctrl+C");
        }
        // Browsers allow this only on pages with HTTPS.
        if (navigator.clipboard && navigator.clipboard.writeText) {
            navigator.clipboard.writeText(element.textContent).then(
                function () { say(button, "Copied"); },
                oldWay
            );
        } else {
            oldWay();
        }
    }

    function addButton(element) {
        var button = document.createElement("button");
        button.type = "button";
        button.className = "button aria-copy-button";
        button.textContent = "Copy";
        button.setAttribute("aria-live", "polite");
        button.addEventListener("click", function () { copy(element, button); });
        element.parentNode.insertBefore(button, element.nextSibling);
    }

    Array.prototype.forEach.call(document.querySelectorAll("pre.aria-copy"), addButton);
}());
