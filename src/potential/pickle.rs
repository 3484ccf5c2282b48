//! A pickle machine that builds inert data and never executes anything.
//!
//! It understands the opcodes that `torch.save` writes. Classes become objects with a name and a state; the few
//! functions that rebuild tensors and containers are known by name, all others become opaque objects. Everything
//! lives in one arena, so that shared and cyclic references and deep nesting in hostile files are harmless.

use std::collections::HashMap;

/// A value of a pickle: plain, or a place in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Node(usize),
}

/// What a value refers to.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A string or bytes, not validated: TorchScript archives travel as strings.
    Text(Vec<u8>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// `module.name` of a class or function.
    Global(String),
    /// An instance, or the result of a call to a function that is not known.
    Object {
        class: Value,
        arguments: Value,
        state: Value,
    },
    /// A piece of a storage: element type, member `data/<key>` and number of elements of the storage.
    Storage {
        kind: String,
        key: String,
        elements: usize,
    },
    /// A strided view of a storage.
    Tensor {
        storage: Value,
        offset: usize,
        size: Vec<usize>,
        stride: Vec<usize>,
    },
}

/// Why a pickle cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("its pickle is damaged or of an unknown kind: {reason} at byte {at}")]
pub(crate) struct PickleError {
    at: usize,
    reason: String,
}

/// The arena of a pickle that was read.
#[derive(Debug, Default)]
pub(crate) struct Pickle {
    nodes: Vec<Node>,
}

impl Pickle {
    /// Reads one pickle; returns its arena and top value.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Pickle, Value), PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            pickle: Pickle::default(),
        };
        let root = machine.run().map_err(|reason| PickleError { at: machine.at, reason })?;
        Ok((machine.pickle, root))
    }

    pub(crate) fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(index) => self.nodes.get(index),
            _ => None,
        }
    }

    /// A string, if the value is one and valid UTF-8.
    pub(crate) fn text(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Items of a tuple or list.
    pub(crate) fn items(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entry of a dict under a string key.
    pub(crate) fn entry(&self, value: Value, key: &str) -> Option<Value> {
        self.entries(value)?.iter().rev().find(|(k, _)| self.text(*k) == Some(key)).map(|(_, v)| *v)
    }

    /// All entries of a dict.
    pub(crate) fn entries(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value)? {
            Node::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// `module.name` of an object's class or of a global itself.
    pub(crate) fn class_name(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Global(name) => Some(name),
            Node::Object { class, .. } => match self.node(*class)? {
                Node::Global(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    fn push(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value::Node(self.nodes.len() - 1)
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    pickle: Pickle,
}

type Step<T> = Result<T, String>;

impl Machine<'_> {
    fn run(&mut self) -> Step<Value> {
        loop {
            let opcode = self.take(1)?[0];
            if opcode == b'.' {
                return self.pop();
            }
            let known = self.literal(opcode)? || self.container(opcode)? || self.structure(opcode)?;
            if !known {
                return Err(format!("opcode 0x{opcode:02x} is not one that torch.save writes"));
            }
        }
    }

    /// Opcodes that push constants.
    fn literal(&mut self, opcode: u8) -> Step<bool> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(i64::from(self.take(1)?[0])),
            b'M' => Value::Int(self.unsigned(2)? as i64),
            b'J' => Value::Int(i64::from(self.unsigned(4)? as u32 as i32)),
            0x8a => self.long()?,
            b'G' => {
                let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| "a float is cut off")?;
                Value::Float(f64::from_be_bytes(bytes))
            }
            b'X' => self.string(4)?,
            0x8c | b'U' | b'C' => self.string(1)?,
            b'B' | b'T' => self.string(4)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.pickle.push(Node::Global(format!("{module}.{name}")))
            }
            _ => return Ok(false),
        };
        self.stack.push(value);
        Ok(true)
    }

    /// Opcodes that make and fill containers.
    fn container(&mut self, opcode: u8) -> Step<bool> {
        match opcode {
            b')' => self.push(Node::Tuple(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' | 0x8f => self.push(Node::List(Vec::new())),
            b'(' => self.marks.push(self.stack.len()),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items));
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or("the stack is empty")?;
                let items = self.stack.split_off(start);
                self.push(Node::Tuple(items));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opcodes for the memo, classes and calls.
    fn structure(&mut self, opcode: u8) -> Step<bool> {
        match opcode {
            0x80 => {
                self.take(1)?;
            }
            0x95 => {
                self.take(8)?;
            }
            b'q' | b'r' | 0x94 => {
                let place = match opcode {
                    b'q' => self.unsigned(1)?,
                    b'r' => self.unsigned(4)?,
                    _ => self.memo.len(),
                };
                let top = *self.stack.last().ok_or("the stack is empty")?;
                self.memo.insert(place, top);
            }
            b'h' | b'j' => {
                let place = self.unsigned(if opcode == b'h' { 1 } else { 4 })?;
                let value = *self.memo.get(&place).ok_or("a memo is missing")?;
                self.stack.push(value);
            }
            b'0' => {
                self.pop()?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |v| self.pickle.text(v).map(str::to_string).ok_or("a class has no name");
                let name = format!("{}.{}", text(module)?, text(name)?);
                self.push(Node::Global(name));
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id).ok_or("a persistent id is not a storage")?;
                self.push(storage);
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = self.call(function, arguments)?;
                self.stack.push(value);
            }
            0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                self.push(Node::Object { class, arguments, state: Value::None });
            }
            b'b' => {
                let (new_state, object) = (self.pop()?, *self.stack.last().ok_or("the stack is empty")?);
                // States of containers carry metadata that nothing here needs.
                if let Value::Node(index) = object
                    && let Some(Node::Object { state, .. }) = self.pickle.nodes.get_mut(index)
                {
                    *state = new_state;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The functions that rebuild tensors and containers; a call to any other becomes an opaque object.
    fn call(&mut self, function: Value, arguments: Value) -> Step<Value> {
        let name = self.pickle.class_name(function).unwrap_or("").to_string();
        let items = self.pickle.items(arguments).ok_or("a call has no arguments")?.to_vec();
        let value = match (name.as_str(), items.as_slice()) {
            ("torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor", _) => {
                let tensor = self.tensor(&items).ok_or("a tensor is rebuilt from something else")?;
                self.pickle.push(tensor)
            }
            (
                "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
                [tensor, ..],
            ) => *tensor,
            ("collections.OrderedDict", []) => self.pickle.push(Node::Dict(Vec::new())),
            ("collections.OrderedDict", [pairs]) => {
                let pairs = self.pickle.items(*pairs).ok_or("an OrderedDict is not made of pairs")?;
                let pair = |v: &Value| match self.pickle.items(*v) {
                    Some([key, value]) => Ok((*key, *value)),
                    _ => Err("an OrderedDict is not made of pairs"),
                };
                let entries = pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
                self.pickle.push(Node::Dict(entries))
            }
            ("__builtin__.set" | "builtins.set", [items]) => *items,
            ("_codecs.encode", [text, ..]) => *text,
            _ => self.pickle.push(Node::Object { class: function, arguments, state: Value::None }),
        };
        Ok(value)
    }

    /// ('storage', class torch.FloatStorage, key, location, number of elements).
    fn storage(&self, id: Value) -> Option<Node> {
        let [tag, class, key, _, elements, ..] = self.pickle.items(id)? else { return None };
        let Value::Int(elements) = *elements else { return None };
        let kind = self.pickle.class_name(*class)?.rsplit('.').next()?.to_string();
        (self.pickle.text(*tag)? == "storage").then_some(())?;
        let key = self.pickle.text(*key)?.to_string();
        Some(Node::Storage { kind, key, elements: usize::try_from(elements).ok()? })
    }

    /// (storage, offset, size, stride, ...).
    fn tensor(&self, arguments: &[Value]) -> Option<Node> {
        let [storage, Value::Int(offset), size, stride, ..] = arguments else { return None };
        let numbers = |value: Value| {
            let number = |v: &Value| match v {
                Value::Int(n) => usize::try_from(*n).ok(),
                _ => None,
            };
            self.pickle.items(value)?.iter().map(number).collect::<Option<Vec<_>>>()
        };
        let (size, stride) = (numbers(*size)?, numbers(*stride)?);
        let storage_is_one = matches!(self.pickle.node(*storage)?, Node::Storage { .. });
        (storage_is_one && size.len() == stride.len()).then_some(())?;
        Some(Node::Tensor { storage: *storage, offset: usize::try_from(*offset).ok()?, size, stride })
    }

    fn set_items(&mut self, items: &[Value]) -> Step<()> {
        if !items.len().is_multiple_of(2) {
            return Err("a key has no value".into());
        }
        match self.top()? {
            Node::Dict(entries) => entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            // Subclasses of dict: their content is not needed.
            Node::Object { .. } => {}
            _ => return Err("items are set on something that is no dict".into()),
        }
        Ok(())
    }

    fn extend(&mut self, items: &[Value]) -> Step<()> {
        match self.top()? {
            Node::List(list) => list.extend(items),
            Node::Object { .. } => {}
            _ => return Err("items are appended to something that is no list".into()),
        }
        Ok(())
    }

    fn top(&mut self) -> Step<&mut Node> {
        match self.stack.last() {
            Some(Value::Node(index)) => Ok(&mut self.pickle.nodes[*index]),
            _ => Err("there is no container on the stack".into()),
        }
    }

    fn push(&mut self, node: Node) {
        let value = self.pickle.push(node);
        self.stack.push(value);
    }

    fn pop(&mut self) -> Step<Value> {
        self.stack.pop().ok_or_else(|| "the stack is empty".to_string())
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Value>> {
        let mark = self.marks.pop().filter(|m| *m <= self.stack.len()).ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, count: usize) -> Step<&[u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("the data end in the middle of it")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A little-endian number of up to 8 bytes.
    fn unsigned(&mut self, count: usize) -> Step<usize> {
        Ok(self.take(count)?.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    /// A two's complement number of a given length; only what fits 64 bits can occur in a model.
    fn long(&mut self) -> Step<Value> {
        let count = self.unsigned(1)?;
        let bytes = self.take(count)?;
        if count > 8 {
            return Err("an integer is longer than 64 bits".into());
        }
        let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { -1_i64 } else { 0 };
        Ok(Value::Int(bytes.iter().rev().fold(sign, |n, b| n << 8 | i64::from(*b))))
    }

    fn string(&mut self, length_bytes: usize) -> Step<Value> {
        let length = self.unsigned(length_bytes)?;
        let text = self.take(length)?.to_vec();
        Ok(self.pickle.push(Node::Text(text)))
    }

    fn line(&mut self) -> Step<String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|b| *b == b'\n').ok_or("a name does not end")?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.at += end + 1;
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_shared_and_may_hold_themselves() {
        // l = []; l.append(l); protocol 2
        let (pickle, root) = Pickle::read(b"\x80\x02]q\x00h\x00a.").unwrap();
        assert_eq!(pickle.items(root), Some(&[root][..]));
    }

    #[test]
    fn nothing_is_called() {
        // os.system("true") is an opaque object.
        let (pickle, root) = Pickle::read(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.").unwrap();
        assert_eq!(pickle.class_name(root), Some("os.system"));
    }

    #[test]
    fn negative_numbers_of_every_length() {
        for (bytes, number) in
            [(&b"\x8a\x01\xff."[..], -1), (b"\x8a\x02\x00\x80.", -32768), (b"J\xfe\xff\xff\xff.", -2)]
        {
            assert_eq!(Pickle::read(bytes).unwrap().1, Value::Int(number));
        }
    }

    #[test]
    fn damaged_pickles_are_errors() {
        for bytes in [
            &b""[..],
            b".",
            b"X\xff\xff\xff\xffabc.",
            b"t.",
            b"\x85.",
            b"h\x07.",
            b"]K\x01s.",
            b"Ne.",
            b"\xf0.",
            b"cos\nsystem",
            b"NR.",
            b"K\x01Q.",
        ] {
            assert!(Pickle::read(bytes).is_err(), "{bytes:?}");
        }
    }
}
