/* Shows a picture in full size over the page; the arrow keys show the others. Without this script,
   or in a browser without dialogs, a picture opens on a page of its own. */
(function () {
    "use strict";

    var links = Array.prototype.slice.call(document.querySelectorAll("a.aria-image"));
    var dialog = document.createElement("dialog");
    if (!links.length || !dialog.showModal) { return; }

    var at = 0;
    var image = document.createElement("img");
    var caption = document.createElement("p");
    var buttons = document.createElement("p");

    function show(place) {
        at = (place + links.length) % links.length;
        image.src = links[at].href;
        image.alt = links[at].querySelector("img").alt;
        var copy = links[at].parentNode.querySelector("figcaption").cloneNode(true);
        caption.textContent = "";
        while (copy.firstChild) { caption.appendChild(copy.firstChild); }
    }

    function addButton(text, act) {
        var button = document.createElement("button");
        button.type = "button";
        button.className = "button";
        button.textContent = text;
        button.addEventListener("click", act);
        buttons.appendChild(button);
    }

    function move(by) {
        return function () { show(at + by); };
    }

    dialog.className = "aria-viewer";
    dialog.setAttribute("aria-label", "Image in full size");
    caption.setAttribute("aria-live", "polite");
    buttons.className = "aria-viewer-buttons";
    addButton("Previous", move(-1));
    addButton("Next", move(1));
    addButton("Close", function () { dialog.close(); });
    dialog.appendChild(image);
    dialog.appendChild(caption);
    dialog.appendChild(buttons);
    document.getElementById("content-main").appendChild(dialog);

    dialog.addEventListener("keydown", function (event) {
        if (event.key === "ArrowLeft") { show(at - 1); }
        if (event.key === "ArrowRight") { show(at + 1); }
    });
    dialog.addEventListener("close", function () { links[at].focus(); });
    links.forEach(function (link, place) {
        link.addEventListener("click", function (event) {
            // These open another tab or window.
            if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) { return; }
            event.preventDefault();
            show(place);
            dialog.showModal();
        });
    });
}());
