//! The machine that a pickle is run on: its stack, marks and memory, and the instructions that fill lists and
//! dicts.

use std::collections::HashMap;

use crate::python::{Heap, Id, Node};
use crate::refusal::Result;

/// Values that a pickle remembers for later use.
const MEMO_MAX: usize = 20_000_000;

/// Values on the stack at one time.
const STACK_MAX: usize = 10_000_000;

/// Reads a pickle into a heap; gives the root object.
pub(crate) fn read(bytes: &[u8]) -> Result<(Heap, Id)> {
    let mut machine = Machine {
        bytes,
        at: 0,
        heap: Heap::for_file(bytes.len()),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        is_inner: false,
    };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((machine.heap, root)),
            Err(refusal) => return Err(refusal.within(format_args!("pickle, byte {at}"))),
        }
    }
}

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Whether a pickle within the pickle is read.
    is_inner: bool,
}

impl<'a> Machine<'a> {
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let bytes = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("the file is cut")?;
        self.at += bytes.len();
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N as u64)?.first_chunk().copied().ok_or_else(|| "the file is cut".into())
    }

    pub(super) fn u8(&mut self) -> Result<u64> {
        Ok(u64::from(self.array::<1>()?[0]))
    }

    pub(super) fn u32(&mut self) -> Result<u64> {
        Ok(u64::from(u32::from_le_bytes(self.array()?)))
    }

    /// A line of latin-1, as the text protocols write it.
    pub(super) fn line(&mut self) -> Result<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&byte| byte == b'\n').ok_or("a line without end")?;
        let line = self.take(len as u64)?;
        self.at += 1;
        Ok(line.iter().map(|&byte| char::from(byte)).collect())
    }

    pub(super) fn utf8(&mut self, count: u64) -> Result<String> {
        let bytes = self.take(count)?;
        // Lone surrogates are legal in Python's text but not in ours.
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn push(&mut self, node: Node) -> Result<()> {
        let id = self.heap.push(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        if self.stack.len() >= STACK_MAX {
            return Err(format!("more than {STACK_MAX} values on the stack").into());
        }
        self.stack.push(id);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Id> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err("the stack is empty above its mark".into());
        }
        self.stack.pop().ok_or_else(|| "the stack is empty".into())
    }

    pub(super) fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or_else(|| "the stack is empty".into())
    }

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or("no mark")?;
        if mark > self.stack.len() {
            return Err("the stack is below its mark".into());
        }
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, key: u64) -> Result<()> {
        let top = self.top()?;
        if self.memo.len() >= MEMO_MAX {
            return Err(format!("more than {MEMO_MAX} remembered values").into());
        }
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<()> {
        let id = *self.memo.get(&key).ok_or_else(|| format!("value {key} was not remembered"))?;
        self.push_id(id)
    }

    /// The root object of a whole pickle that stands between two instructions, as joblib writes arrays of objects.
    pub(super) fn inner_pickle(&mut self) -> Result<Id> {
        if self.is_inner {
            return Err("a pickle in a pickle in a pickle".into());
        }
        let (stack, marks) = (std::mem::take(&mut self.stack), std::mem::take(&mut self.marks));
        let memo = std::mem::take(&mut self.memo);
        self.is_inner = true;
        let root = loop {
            if let Some(root) = self.step()? {
                break root;
            }
        };
        (self.stack, self.marks, self.memo, self.is_inner) = (stack, marks, memo, false);
        Ok(root)
    }

    /// Runs one instruction; the root object at the end.
    fn step(&mut self) -> Result<Option<Id>> {
        let code = self.u8()? as u8;
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let version = self.u8()?;
                if version > 5 {
                    return Err(format!("protocol {version}").into());
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

    fn container(&mut self, code: u8) -> Result<()> {
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
            other => Err(format!("instruction {other:#04x} is not known").into()),
        }
    }

    fn extend(&mut self, items: &[Id]) -> Result<()> {
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

    fn fill(&mut self, entries: &[(Id, Id)]) -> Result<()> {
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

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
