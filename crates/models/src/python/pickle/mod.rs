//! Pickles of protocol 0 to 5, read as data.
//!
//! The machine that Python runs on a pickle is followed, but its calls are not made: a class called with
//! arguments becomes an [`Object`](super::Object) that says so, and only NumPy's own constructors are
//! carried out, by our code. Globals that models are not made of are refused by name before anything else happens.

mod literals;
mod objects;

use std::collections::HashMap;

use super::{Heap, Id, Node};

/// Values that a pickle remembers for later use.
const MAX_MEMO: usize = 20_000_000;

/// Values on the stack at one time.
const MAX_STACK: usize = 10_000_000;

/// Reads a pickle into a heap; gives the root object.
pub(crate) fn read(bytes: &[u8]) -> Result<(Heap, Id), String> {
    let mut machine = Machine {
        bytes,
        at: 0,
        heap: Heap::for_file(bytes.len()),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((machine.heap, root)),
            Err(reason) => return Err(format!("pickle, byte {at}: {reason}")),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let bytes = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("the file is cut")?;
        self.at += bytes.len();
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N as u64)?.first_chunk().copied().ok_or_else(|| "the file is cut".to_owned())
    }

    fn u8(&mut self) -> Result<u64, String> {
        Ok(u64::from(self.array::<1>()?[0]))
    }

    fn u32(&mut self) -> Result<u64, String> {
        Ok(u64::from(u32::from_le_bytes(self.array()?)))
    }

    /// A line of latin-1, as the text protocols write it.
    fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&byte| byte == b'\n').ok_or("a line without end")?;
        let line = self.take(len as u64)?;
        self.at += 1;
        Ok(line.iter().map(|&byte| char::from(byte)).collect())
    }

    fn utf8(&mut self, count: u64) -> Result<String, String> {
        let bytes = self.take(count)?;
        // Lone surrogates are legal in Python's text but not in ours.
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn push(&mut self, node: Node) -> Result<(), String> {
        let id = self.heap.push(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), String> {
        if self.stack.len() >= MAX_STACK {
            return Err(format!("more than {MAX_STACK} values on the stack"));
        }
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err("the stack is empty above its mark".into());
        }
        self.stack.pop().ok_or_else(|| "the stack is empty".to_owned())
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| "the stack is empty".to_owned())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("no mark")?;
        if mark > self.stack.len() {
            return Err("the stack is below its mark".into());
        }
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, key: u64) -> Result<(), String> {
        let top = self.top()?;
        if self.memo.len() >= MAX_MEMO {
            return Err(format!("more than {MAX_MEMO} remembered values"));
        }
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(|| format!("value {key} was not remembered"))?;
        self.push_id(id)
    }

    /// Runs one instruction; the root object at the end.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let code = self.u8()? as u8;
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let version = self.u8()?;
                if version > 5 {
                    return Err(format!("protocol {version}"));
                }
            }
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.push_id(self.top()?)?,
            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'q' => {
                let key = self.u8()?;
                self.remember(key)?;
            }
            b'r' => {
                let key = self.u32()?;
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'p' => {
                let key = self.line()?.parse().map_err(|_| "a bad memo key")?;
                self.remember(key)?;
            }
            b'h' => {
                let key = self.u8()?;
                self.recall(key)?;
            }
            b'j' => {
                let key = self.u32()?;
                self.recall(key)?;
            }
            b'g' => {
                let key = self.line()?.parse().map_err(|_| "a bad memo key")?;
                self.recall(key)?;
            }
            b'c' | 0x93 | b'i' | b'o' | b'R' | 0x81 | 0x92 | b'b' => self.object(code)?,
            b'I' | b'L' | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'F' | b'G' => self.number(code)?,
            b'V' | b'S' | b'X' | 0x8c | 0x8d | b'U' | b'T' | b'C' | b'B' | 0x8e | 0x96 => {
                self.text(code)?;
            }
            _ => self.container(code)?,
        }
        Ok(None)
    }

    fn container(&mut self, code: u8) -> Result<(), String> {
        match code {
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            0x8f => self.push(Node::Set(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items))
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items))
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::Set(items))
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(pairs(&items)?))
            }
            0x85..=0x87 => {
                let mut items: Vec<Id> =
                    (0..=code - 0x85).map(|_| self.pop()).collect::<Result<_, _>>()?;
                items.reverse();
                self.push(Node::Tuple(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(&items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.fill(&[(key, value)])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.fill(&pairs(&items)?)
            }
            0x97 | 0x98 => Err("buffers outside of the pickle".into()),
            b'P' | b'Q' => Err("persistent ids are not read".into()),
            0x82..=0x84 => Err("extension codes are not read".into()),
            other => Err(format!("instruction {other:#04x} is not known")),
        }
    }

    fn extend(&mut self, items: &[Id]) -> Result<(), String> {
        let top = self.top()?;
        match self.heap.nodes.get_mut(top as usize) {
            Some(Node::List(list) | Node::Set(list)) => {
                list.extend_from_slice(items);
                self.heap.charge(size_of_val(items))?;
            }
            // Subclasses of list: their items say nothing that models need.
            Some(Node::Object(_)) => {}
            _ => return Err("items are added to what is no list".into()),
        }
        Ok(())
    }

    fn fill(&mut self, entries: &[(Id, Id)]) -> Result<(), String> {
        let top = self.top()?;
        match self.heap.nodes.get_mut(top as usize) {
            Some(Node::Dict(dict)) => {
                dict.extend_from_slice(entries);
                self.heap.charge(size_of_val(entries))?;
            }
            // Subclasses of dict (scikit-learn's Bunch) repeat what is elsewhere.
            Some(Node::Object(_)) => {}
            _ => return Err("entries are added to what is no dict".into()),
        }
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
