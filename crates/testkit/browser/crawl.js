// Goes from page to page, one of each kind, and looks at each. `pages` are where it begins, `crawl` says whether it goes on to
// what they lead to, `signIn` is `{ address, name, password }` of somebody.
//
// `look(visitor, address)` returns the addresses that the page leads to. Returns the addresses that were looked at, and
// their kinds.
"use strict";

const { each } = require("visitor");

// Tabs of the browser at a time: one for each of two cores.
const AT_ONCE = 2;
// Pages of a site that has no end.
const PAGES_MAX = 150;

// The address of a page without what names one of many: pages of a kind look alike.
function kindOf(address) {
  const url = new URL(address);
  const parts = url.pathname.split("/");
  const isId = (part) => /^[0-9]+$|^[0-9a-f]{32}$|^m-[0-9a-f]{32}$/.test(part);
  const below = (name) => parts.indexOf(name) >= 0 ? parts.indexOf(name) + 1 : parts.length;
  const named = new Set(["models", "users"].map(below));
  // Names of files and of metrics have slashes in them.
  const [files, metrics] = [Math.min(below("files"), below("raw")), below("metrics")];
  const kind = parts.slice(0, Math.min(files, metrics)).map((part, at) => isId(part) || named.has(at) && part ? "*" : part);
  // A file of each type, and a folder.
  if (files < parts.length) kind.push(`*.${(parts.at(-1).match(/\.([a-z0-9]+)$/i) || ["", "folder"])[1]}`);
  if (metrics < parts.length) kind.push("*");
  const keys = [...new Set(url.searchParams.keys())].sort().map((key) => `${key}=*`);
  return (url.protocol === "file:" ? "file://" : url.origin) + kind.join("/") + (keys.length ? `?${keys.join("&")}` : "");
}

// Whether a link of a page is looked at, too.
function isNext(link, origins) {
  if (!link.startsWith("http") || !origins.has(new URL(link).origin)) return false;
  // What several choices together make looks as each of them alone.
  return new Set(new URL(link).searchParams.keys()).size < 2;
}

async function walkPages(browser, { pages, crawl, signIn }, look) {
  const free = await Promise.all(Array.from({ length: AT_ONCE }, () => browser.visitor()));
  for (const visitor of signIn ? free : []) {
    await visitor.open(signIn.address);
    await visitor.fill("Name", signIn.name);
    await visitor.fill("Password", signIn.password);
    await visitor.enter();
  }
  const kinds = new Set(pages.map(kindOf));
  const origins = new Set(pages.map((page) => new URL(page).origin));
  const looked = [];
  let pending = [...pages];
  while (pending.length > 0) {
    const links = await each(pending, AT_ONCE, async (address) => {
      const visitor = free.pop();
      try {
        return await look(visitor, address);
      } catch (error) {
        throw new Error(`${address}: ${error.stack}`);
      } finally {
        free.push(visitor);
      }
    });
    looked.push(...pending);
    pending = [];
    for (const link of crawl ? links.flat().map((one) => one.split("#")[0]) : []) {
      if (!isNext(link, origins) || kinds.has(kindOf(link)) || looked.length + pending.length >= PAGES_MAX) continue;
      kinds.add(kindOf(link));
      pending.push(link);
    }
  }
  return { looked, kinds: [...kinds].sort() };
}

// Opens a page; none of what is to be kept and not to be looked at.
async function opened(visitor, address) {
  try {
    return await visitor.open(address);
  } catch (error) {
    if (/ERR_ABORTED/.test(error.message)) return null;
    throw error;
  }
}

// In the page: what it leads to.
const linksOf = () => [...document.querySelectorAll("a[href], iframe[src]")].map((one) => one.href || one.src);

module.exports = { linksOf, opened, walkPages };
