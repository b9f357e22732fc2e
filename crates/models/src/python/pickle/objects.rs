//! Classes, what their calls would have made, and the states of objects; NumPy's arrays and types.

use super::joblib;
use super::machine::Machine;
use super::shape::dimensions;
use crate::python::dtype::{Dtype, Kind};
use crate::python::globals::is_known_global;
use crate::python::{Array, Elements, Id, Node, Object, Value};
use crate::refusal::{Refusal, Result};

impl Machine<'_> {
    pub(super) fn object(&mut self, code: u8) -> Result<()> {
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

    fn items(&self, id: Id) -> Result<Vec<Id>> {
        match self.heap.value(id).node() {
            Node::Tuple(items) | Node::List(items) => Ok(items.clone()),
            _ => Err("arguments that are no tuple".into()),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        if !is_known_global(module, name) {
            let what = format!("{module}.{name} is not something that models are made of here");
            return Err(Refusal::Foreign(what));
        }
        self.push(Node::Global(format!("{module}.{name}")))
    }

    /// What a call would have made.
    fn call(&mut self, class: Id, arguments: Vec<Id>) -> Result<()> {
        let Node::Global(name) = self.heap.value(class).node() else {
            return Err(format!("{} is called", self.heap.value(class).describe()).into());
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
                Node::Bytes(match argument(0).map(Value::node) {
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
    fn build(&mut self, object: Id, state: Id) -> Result<()> {
        let filled = match self.heap.value(object).node() {
            Node::Array(_) => {
                let array = self.array_state(state)?;
                self.heap.charge(array.elements.bytes())?;
                Some(Node::Array(array))
            }
            Node::Dtype(dtype) => Some(Node::Dtype(self.dtype_state(dtype.clone(), state)?)),
            // Random states say nothing of predictions; all other objects are filled below, in place.
            Node::Dict(_) | Node::Object(_) => None,
            _ => {
                return Err(
                    format!("{} is given a state", self.heap.value(object).describe()).into()
                );
            }
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
        if self.heap.value(object).class() == Some(joblib::WRAPPER) {
            return self.framed_array(object);
        }
        Ok(())
    }

    /// `(version, shape, dtype, is_fortran, bytes or list)`
    fn array_state(&self, state: Id) -> Result<Array> {
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
    fn dtype_state(&self, dtype: Dtype, state: Id) -> Result<Dtype> {
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
