//! No circles of files: what two files take from each other belongs into one of them or into a third.
//!
//! Each crate is read with `syn`: which file takes which name from which other, by `use` and by paths in
//! the code. A re-export counts for the file that defines the name, so a `mod.rs` that only declares is
//! in no circle, and one that also defines tools for its own children is. Names inside of macros'
//! arguments are not seen, tests are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// `crate::a::b` as `["a", "b"]`; the crate's root is empty.
type Module = Vec<String>;

/// What one file says.
#[derive(Default)]
struct Said {
    file: PathBuf,
    /// Names that it defines.
    own: BTreeSet<String>,
    /// Names that `use` brings in, with their paths.
    taken: BTreeMap<String, Vec<String>>,
    /// Modules of which `use` brings in all.
    globs: Vec<Vec<String>>,
    /// Paths of the code.
    paths: Vec<Vec<String>>,
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list)
                if list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "test"))
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl Said {
    fn take(&mut self, mut path: Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.take(path, &step.tree);
            }
            syn::UseTree::Name(name) => self.bring(path, &name.ident, &name.ident),
            syn::UseTree::Rename(name) => self.bring(path, &name.ident, &name.rename),
            syn::UseTree::Glob(_) => self.globs.push(path),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.take(path.clone(), tree);
                }
            }
        }
    }

    fn bring(&mut self, mut path: Vec<String>, name: &syn::Ident, called: &syn::Ident) {
        if name == "self" {
            if let Some(last) = path.last().cloned() {
                self.taken.insert(last, path);
            }
            return;
        }
        path.push(name.to_string());
        self.taken.insert(called.to_string(), path);
    }
}

impl<'ast> Visit<'ast> for Said {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_test(attributes(item)) {
            return;
        }
        let name = match item {
            syn::Item::Const(item) => Some(&item.ident),
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Fn(item) => Some(&item.sig.ident),
            syn::Item::Static(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            syn::Item::Macro(item) => item.ident.as_ref(),
            _ => None,
        };
        self.own.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.take(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|step| step.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The files of a crate, by module.
struct Crate(BTreeMap<Module, Said>);

impl Crate {
    fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut pending = vec![source.to_owned()];
        while let Some(folder) = pending.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !path.ends_with("tests") {
                        pending.push(path);
                    }
                } else if path.extension().is_some_and(|extension| extension == "rs")
                    && path.file_name().is_none_or(|name| name != "tests.rs")
                {
                    let inside = path.strip_prefix(source).unwrap().with_extension("");
                    let mut module: Module =
                        inside.iter().map(|step| step.to_str().unwrap().to_owned()).collect();
                    if matches!(module.last().unwrap().as_str(), "mod" | "lib" | "main") {
                        module.pop();
                    }
                    let mut said = Said::default();
                    said.visit_file(
                        &syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap(),
                    );
                    said.file = path;
                    files.insert(module, said);
                }
            }
        }
        Self(files)
    }

    /// A path as it is written in a module, from the root of the crate; nothing where it leads out of it.
    fn rooted(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            name => {
                let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
                if self.0.contains_key(&child) {
                    child
                } else {
                    // A name that `use` brought in; `use` itself never leads to itself.
                    let taken = self.0.get(module)?.taken.get(name)?;
                    if taken.first() == Some(first) {
                        return None;
                    }
                    self.rooted(module, taken)?
                }
            }
        };
        for step in rest {
            if step == "super" {
                at.pop()?;
            } else {
                at.push(step.clone());
            }
        }
        Some(at)
    }

    /// The file that defines what a path from the root leads to.
    fn home(&self, path: &[String], depth: u8) -> Option<&Module> {
        let length = (0..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let (module, said) = self.0.get_key_value(&path[..length])?;
        let rest = &path[length..];
        let name = rest.first()?;
        if said.own.contains(name) || depth == 0 {
            return Some(module);
        }
        if let Some(taken) = said.taken.get(name) {
            let mut further = self.rooted(module, taken)?;
            further.extend_from_slice(&rest[1..]);
            return self.home(&further, depth - 1);
        }
        let through = said.globs.iter().find_map(|glob| {
            let mut further = self.rooted(module, glob)?;
            further.extend_from_slice(rest);
            self.home(&further, depth - 1)
        });
        through.or(Some(module))
    }

    /// Which file takes what from which.
    fn arrows(&self) -> BTreeMap<&Module, BTreeMap<&Module, BTreeSet<String>>> {
        let mut arrows: BTreeMap<&Module, BTreeMap<&Module, BTreeSet<String>>> = BTreeMap::new();
        for (module, said) in &self.0 {
            let from = arrows.entry(module).or_default();
            let code = said.paths.iter().filter(|path| path.len() > 1);
            for path in said.taken.values().chain(code) {
                let Some(path) = self.rooted(module, path) else { continue };
                if let Some(home) = self.home(&path, 8)
                    && home != module
                {
                    from.entry(home).or_default().extend(path.last().cloned());
                }
            }
        }
        arrows
    }

    /// Files that can be reached from themselves, with what ties them.
    fn circles(&self) -> Vec<String> {
        let arrows = self.arrows();
        let reach = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut pending = vec![from.clone()];
            while let Some(at) = pending.pop() {
                for next in arrows.get(&at).into_iter().flat_map(BTreeMap::keys) {
                    if seen.insert((*next).clone()) {
                        pending.push((*next).clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.keys().map(|module| (module, reach(module))).collect();
        let mut ties = Vec::new();
        for (from, tos) in &arrows {
            for (to, names) in tos {
                if reached[*to].contains(*from) {
                    let (from, to) = (self.0[*from].file.display(), self.0[*to].file.display());
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    ties.push(format!("{from} takes from {to}: {}", names.join(", ")));
                }
            }
        }
        ties
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut ties = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let house = Crate::read(&entry.unwrap().path().join("src"));
        files += house.0.len();
        ties.extend(house.circles());
    }
    assert!(files > 400, "only {files} files were read");
    assert!(ties.is_empty(), "{} ties of circles:\n{}", ties.len(), ties.join("\n"));
}
