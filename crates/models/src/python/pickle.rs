//! Pickles of protocol 0 to 5, read as data.
//!
//! The machine that Python runs on a pickle is followed, but its calls are not made: a class called with
//! arguments becomes an [`Object`] that says so, and only NumPy's own constructors are carried out, by
//! our code. Globals that models are not made of are refused by name before anything else happens.

use std::collections::HashMap;

use super::array::{Array, Elements};
use super::dtype::{Dtype, Kind};
use super::{Heap, Id, Node, Object, is_known_global};

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

    fn number(&mut self, code: u8) -> Result<(), String> {
        let node = match code {
            b'I' => match self.line()?.as_str() {
                "01" => Node::Bool(true),
                "00" => Node::Bool(false),
                digits => Node::Int(digits.trim().parse().map_err(|_| "a bad integer")?),
            },
            b'L' => {
                let line = self.line()?;
                let digits = line.trim().trim_end_matches('L');
                // Beyond 64 bits (seeds) the nearest number.
                match digits.parse() {
                    Ok(value) => Node::Int(value),
                    Err(_) => Node::Float(digits.parse().map_err(|_| "a bad integer")?),
                }
            }
            b'J' => Node::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'K' => Node::Int(self.u8()? as i64),
            b'M' => Node::Int(i64::from(u16::from_le_bytes(self.array()?))),
            0x8a | 0x8b => {
                let len = if code == 0x8a { self.u8()? } else { self.u32()? };
                long(self.take(len)?)
            }
            b'F' => Node::Float(self.line()?.trim().parse().map_err(|_| "a bad number")?),
            _ => Node::Float(f64::from_be_bytes(self.array()?)),
        };
        self.push(node)
    }

    fn text(&mut self, code: u8) -> Result<(), String> {
        let len = match code {
            b'V' => {
                let text = unescape_unicode(&self.line()?)?;
                return self.push(Node::Text(text));
            }
            b'S' => {
                let line = self.line()?;
                let quoted = line
                    .trim()
                    .strip_prefix(['\'', '"'])
                    .and_then(|rest| rest.strip_suffix(['\'', '"']));
                let bytes = unescape_bytes(quoted.ok_or("text without quotes")?)?;
                return self.push(Node::Bytes(bytes));
            }
            0x8c | b'U' | b'C' => self.u8()?,
            b'X' | b'B' | b'T' => self.u32()?,
            _ => u64::from_le_bytes(self.array()?),
        };
        let node = match code {
            0x8c | b'X' | 0x8d => Node::Text(self.utf8(len)?),
            _ => Node::Bytes(self.take(len)?.to_vec()),
        };
        self.push(node)
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

    fn object(&mut self, code: u8) -> Result<(), String> {
        match code {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id: Id| {
                    self.heap.value(id).text().map(str::to_owned).ok_or("a global without a name")
                };
                let (module, name) = (text(module)?, text(name)?);
                self.global(&module, &name)
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let arguments = self.pop_to_mark()?;
                self.global(&module, &name)?;
                let class = self.pop()?;
                self.call(class, arguments)
            }
            b'o' => {
                let mut arguments = self.pop_to_mark()?;
                if arguments.is_empty() {
                    return Err("an object without a class".into());
                }
                let class = arguments.remove(0);
                self.call(class, arguments)
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                let arguments = self.items(arguments)?;
                self.call(class, arguments)
            }
            0x92 => {
                let (_keywords, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                let arguments = self.items(arguments)?;
                self.call(class, arguments)
            }
            _ => {
                let (state, object) = (self.pop()?, self.top()?);
                self.build(object, state)
            }
        }
    }

    fn items(&self, id: Id) -> Result<Vec<Id>, String> {
        match self.heap.value(id).node() {
            Node::Tuple(items) | Node::List(items) => Ok(items.clone()),
            _ => Err("arguments that are no tuple".into()),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        if !is_known_global(module, name) {
            return Err(format!("{module}.{name} is not something that models are made of here"));
        }
        self.push(Node::Global(format!("{module}.{name}")))
    }

    /// What a call would have made.
    fn call(&mut self, class: Id, arguments: Vec<Id>) -> Result<(), String> {
        let Node::Global(name) = self.heap.value(class).node() else {
            return Err(format!("{} is called", self.heap.value(class).describe()));
        };
        let name = name.clone();
        let argument = |at: usize| {
            arguments
                .get(at)
                .map(|&id| self.heap.value(id))
                .ok_or_else(|| format!("{name} lacks an argument"))
        };
        let node = match name.rsplit('.').next().unwrap_or_default() {
            "_reconstructor" => {
                let class = argument(0)?.describe();
                Node::Object(Object { class, arguments: Vec::new(), state: None })
            }
            "encode" if name.starts_with("_codecs") => {
                let text = argument(0)?.text().ok_or("encoding of what is no text")?;
                let bytes = text
                    .chars()
                    .map(|c| u8::try_from(u32::from(c)).map_err(|_| "text beyond latin-1"));
                Node::Bytes(bytes.collect::<Result<_, _>>()?)
            }
            "OrderedDict" | "dict" | "defaultdict" | "Counter" => Node::Dict(Vec::new()),
            "bytes" | "bytearray" if name.contains("builtin") => {
                Node::Bytes(match argument(0).map(super::Value::node) {
                    Ok(Node::Bytes(bytes)) => bytes.clone(),
                    Ok(Node::Text(text)) => text.chars().map(|c| u32::from(c) as u8).collect(),
                    _ => Vec::new(),
                })
            }
            "list" if name.starts_with("builtins") => Node::List(Vec::new()),
            "set" | "frozenset" => Node::Set(
                argument(0)
                    .ok()
                    .and_then(|items| match items.node() {
                        Node::List(items) | Node::Tuple(items) => Some(items.clone()),
                        _ => None,
                    })
                    .unwrap_or_default(),
            ),
            "dtype" if name.starts_with("numpy") => match argument(0)?.node() {
                Node::Text(text) => Node::Dtype(Dtype::parse(text)?),
                Node::Bytes(text) => Node::Dtype(Dtype::parse(&String::from_utf8_lossy(text))?),
                _ => Node::Object(Object { class: name, arguments, state: None }),
            },
            "_reconstruct" if name.starts_with("numpy") => {
                Node::Array(Array { shape: vec![0], elements: Elements::F64(Vec::new()), bits: 64 })
            }
            "scalar" if name.starts_with("numpy") => {
                match (argument(0)?.node(), arguments.get(1).map(|&id| self.heap.value(id).node()))
                {
                    (Node::Dtype(dtype), Some(Node::Bytes(bytes))) => {
                        Node::Array(dtype.array(bytes, Vec::new(), false)?)
                    }
                    _ => return Err("a NumPy scalar without bytes".into()),
                }
            }
            "_frombuffer" if name.starts_with("numpy") => {
                let (buffer, dtype, shape, order) =
                    (argument(0)?, argument(1)?, argument(2)?, argument(3)?);
                let (Node::Bytes(bytes), Node::Dtype(dtype)) = (buffer.node(), dtype.node()) else {
                    return Err("an array without bytes".into());
                };
                let order = order.text();
                if order == Some("K") {
                    return Err("an array of permuted axes".into());
                }
                Node::Array(dtype.array(bytes, dimensions(shape)?, order == Some("F"))?)
            }
            _ => Node::Object(Object { class: name, arguments, state: None }),
        };
        self.push(node)
    }

    /// What `__setstate__` would have done.
    fn build(&mut self, object: Id, state: Id) -> Result<(), String> {
        let filled = match self.heap.value(object).node() {
            Node::Array(_) => {
                let array = self.array_state(state)?;
                self.heap.charge(array.elements.bytes())?;
                Some(Node::Array(array))
            }
            Node::Dtype(dtype) => Some(Node::Dtype(self.dtype_state(dtype.clone(), state)?)),
            // Random states say nothing of predictions; all other objects are filled below, in place.
            Node::Dict(_) | Node::Object(_) => None,
            _ => return Err(format!("{} is given a state", self.heap.value(object).describe())),
        };
        if let Some(Node::Object(object)) = self.heap.nodes.get_mut(object as usize)
            && !object.class.ends_with("RandomState")
            && !object.class.contains("numpy.random")
        {
            object.state = Some(state);
        }
        if let (Some(filled), Some(slot)) = (filled, self.heap.nodes.get_mut(object as usize)) {
            *slot = filled;
        }
        Ok(())
    }

    /// `(version, shape, dtype, is_fortran, bytes or list)`
    fn array_state(&self, state: Id) -> Result<Array, String> {
        let parts = self.heap.value(state).items().ok_or("an array with an odd state")?;
        let [.., shape, dtype, fortran, data] = parts.as_slice() else {
            return Err("an array with an odd state".into());
        };
        let shape = dimensions(*shape)?;
        match (dtype.node(), data.node()) {
            (Node::Dtype(dtype), Node::Bytes(bytes)) => {
                dtype.array(bytes, shape, fortran.bool() == Some(true))
            }
            (Node::Dtype(Dtype { kind: Kind::Object, .. }), Node::List(items)) => {
                Ok(Array { shape, elements: Elements::Objects(items.clone()), bits: 0 })
            }
            _ => Err("an array without bytes".into()),
        }
    }

    /// `(version, byte order, subtype, names, fields, size, alignment, flags)`
    fn dtype_state(&self, dtype: Dtype, state: Id) -> Result<Dtype, String> {
        let parts = self.heap.value(state).items().ok_or("a dtype with an odd state")?;
        let big_endian = parts.get(1).and_then(|order| order.text()) == Some(">");
        let size =
            parts.get(5).and_then(|size| size.int()).and_then(|size| usize::try_from(size).ok());
        let fields = parts.get(4).and_then(|fields| fields.entries()).unwrap_or_default();
        if !fields.is_empty() {
            let names = parts.get(3).and_then(|names| names.items()).unwrap_or_default();
            let fields = names
                .iter()
                .map(|name| {
                    let name = name.text().ok_or("a field without a name")?;
                    let field = fields
                        .iter()
                        .find(|(key, _)| key.text() == Some(name))
                        .and_then(|(_, field)| field.items());
                    match field.as_deref() {
                        Some([dtype, offset, ..]) => match (
                            dtype.node(),
                            offset.int().and_then(|at| usize::try_from(at).ok()),
                        ) {
                            (Node::Dtype(dtype), Some(offset)) => {
                                Ok((name.to_owned(), dtype.clone(), offset))
                            }
                            _ => Err("a field without a type"),
                        },
                        _ => Err("a field without a type"),
                    }
                })
                .collect::<Result<Vec<_>, _>>()?;
            return Dtype::structure(fields, size.unwrap_or(dtype.size));
        }
        Ok(Dtype { big_endian, ..dtype })
    }
}

fn dimensions(shape: super::Value<'_>) -> Result<Vec<usize>, String> {
    let dims = match shape.items() {
        Some(items) => items.into_iter().map(super::Value::int).collect(),
        None => shape.int().map(|dim| vec![Some(dim)]).unwrap_or_default(),
    };
    dims.into_iter()
        .map(|dim| {
            dim.and_then(|dim| usize::try_from(dim).ok()).ok_or_else(|| "an odd shape".to_owned())
        })
        .collect()
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

/// A little-endian integer of any length; beyond 64 bits (hashes, seeds) the nearest number.
fn long(bytes: &[u8]) -> Node {
    if bytes.len() <= 8 {
        let fill = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut word = [fill; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        return Node::Int(i64::from_le_bytes(word));
    }
    Node::Float(bytes.iter().rev().fold(0.0, |value, &byte| value * 256.0 + f64::from(byte)))
}

/// `\uXXXX` and `\UXXXXXXXX` of protocol 0.
fn unescape_unicode(line: &str) -> Result<String, String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\\u").into_iter().chain(rest.find("\\U")).min() {
        text.push_str(rest.get(..at).unwrap_or_default());
        let digits = if rest.get(at..at + 2) == Some("\\u") { 4 } else { 8 };
        let code =
            rest.get(at + 2..at + 2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        text.push(code.and_then(char::from_u32).ok_or("a bad escape")?);
        rest = rest.get(at + 2 + digits..).unwrap_or_default();
    }
    text.push_str(rest);
    Ok(text)
}

/// The escapes of a quoted byte text of protocol 0.
fn unescape_bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().ok_or("a cut escape")? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).map_err(|_| "a bad escape")?;
                u8::from_str_radix(digits, 16).map_err(|_| "a bad escape")?
            }
            other => other,
        });
    }
    Ok(bytes)
}
