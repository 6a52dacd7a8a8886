// Which page is shown: the list, or one study.

import { h } from "./dom.js";
import { ListPage } from "./list.js";
import { StudyPage } from "./study.js";

let page = null;

function show() {
  page?.close();
  const root = document.getElementById("page");
  const match = /^#\/study\/([0-9a-f]{16})$/.exec(location.hash);
  page = match ? new StudyPage(match[1]) : new ListPage();
  root.replaceChildren(page.element);
  page.open().catch((error) => root.replaceChildren(h("main", { class: "failed" },
    h("h1", {}, "This cannot be shown"), h("p", {}, error.message), h("p", {}, h("a", { href: "#/" }, "Back to the studies")))));
}

addEventListener("hashchange", show);
show();
