//! Walks the modules of a PyTorch model by name.

use super::ModelError;
use super::archive::{Archive, Array};
use super::pickle::{Node, Value};

/// More modules than any model has.
const MODULE_LIMIT: usize = 100_000;

/// One `torch.nn.Module` of a saved model.
#[derive(Clone)]
pub(crate) struct Module<'a> {
    archive: &'a Archive,
    path: String,
    state: Value,
    class: String,
}

impl<'a> Module<'a> {
    /// The archive's top object.
    pub(crate) fn root(archive: &'a Archive) -> Result<Module<'a>, ModelError> {
        Self::new(archive, String::new(), archive.root())
            .ok_or_else(|| archive.error("its top object is no model"))
    }

    fn new(archive: &'a Archive, path: String, value: Value) -> Option<Module<'a>> {
        let Node::Object { state, .. } = archive.pickle().node(value)? else { return None };
        let class = archive.pickle().class_name(value)?.to_string();
        Some(Module { archive, path, state: *state, class })
    }

    /// The class without its package: `BesselBasis`.
    pub(crate) fn class(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or(&self.class)
    }

    /// An error about this module.
    pub(crate) fn error(&self, reason: impl std::fmt::Display) -> ModelError {
        let place = if self.path.is_empty() { String::new() } else { format!("in `{}`, ", self.path) };
        self.archive.error(format!("{place}{reason}"))
    }

    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    /// A submodule, parameter, buffer or plain attribute.
    fn lookup(&self, name: &str) -> Option<Value> {
        let pickle = self.archive.pickle();
        let in_dict = |dict: &str| pickle.entry(pickle.entry(self.state, dict)?, name);
        let found = ["_modules", "_parameters", "_buffers"].iter().find_map(|dict| in_dict(dict));
        found.or_else(|| pickle.entry(self.state, name)).filter(|v| *v != Value::None)
    }

    /// Whether there is such a thing and it is not None.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.lookup(name).is_some()
    }

    /// A submodule that may be missing.
    pub(crate) fn optional_child(&self, name: &str) -> Option<Module<'a>> {
        Module::new(self.archive, self.full_name(name), self.lookup(name)?)
    }

    /// A submodule.
    pub(crate) fn child(&self, name: &str) -> Result<Module<'a>, ModelError> {
        self.optional_child(name).ok_or_else(|| self.error(format!("there is no module `{name}`")))
    }

    /// The members of a list of modules, in order.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Module<'a>>, ModelError> {
        let list = self.child(name)?;
        Ok((0..).map_while(|i| list.optional_child(&i.to_string())).collect())
    }

    /// A tensor with its shape.
    pub(crate) fn array(&self, name: &str) -> Result<Array, ModelError> {
        let value = self.lookup(name).ok_or_else(|| self.error(format!("there is no tensor `{name}`")))?;
        self.archive.array(&self.full_name(name), value)
    }

    /// A tensor with as many elements as `count`, in row-major order.
    pub(crate) fn numbers(&self, name: &str, count: usize) -> Result<Vec<f64>, ModelError> {
        let array = self.array(name)?;
        if array.values.len() != count {
            let found = array.values.len();
            return Err(self.error(format!("`{name}` has {found} elements instead of {count}")));
        }
        if array.values.iter().any(|v| !v.is_finite()) {
            return Err(self.error(format!("`{name}` holds numbers that are not finite")));
        }
        Ok(array.values)
    }

    /// A number: a tensor of one element or a plain attribute.
    pub(crate) fn number(&self, name: &str) -> Result<f64, ModelError> {
        let value = self.lookup(name).ok_or_else(|| self.error(format!("there is no number `{name}`")))?;
        let number = match value {
            Value::Float(v) => v,
            Value::Int(v) => v as f64,
            Value::Bool(v) => f64::from(u8::from(v)),
            _ => self.numbers(name, 1)?[0],
        };
        if number.is_finite() { Ok(number) } else { Err(self.error(format!("`{name}` is not finite"))) }
    }

    /// Number of elements of all parameters of this module and those below it.
    pub(crate) fn count_parameters(&self) -> Result<usize, ModelError> {
        let pickle = self.archive.pickle();
        let mut pending = vec![self.state];
        let mut count = 0_usize;
        // Modules form a tree; more than this is a cycle in a hostile file.
        for _ in 0..MODULE_LIMIT {
            let Some(state) = pending.pop() else { return Ok(count) };
            for (_, parameter) in
                pickle.entry(state, "_parameters").and_then(|d| pickle.entries(d)).unwrap_or(&[])
            {
                if let Some(Node::Tensor { size, .. }) = pickle.node(*parameter) {
                    count = count.saturating_add(size.iter().fold(1, |n, s| n.saturating_mul(*s)));
                }
            }
            for (_, module) in pickle.entry(state, "_modules").and_then(|d| pickle.entries(d)).unwrap_or(&[])
            {
                if let Some(Node::Object { state, .. }) = pickle.node(*module) {
                    pending.push(*state);
                }
            }
        }
        Err(self.error("there are too many modules"))
    }

    /// A flag; missing means false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.lookup(name) == Some(Value::Bool(true))
    }

    /// A list of strings, if there is one.
    pub(crate) fn strings(&self, name: &str) -> Option<Vec<String>> {
        let pickle = self.archive.pickle();
        let items = pickle.items(self.lookup(name)?)?;
        items.iter().map(|v| pickle.text(*v).map(str::to_string)).collect()
    }

    /// The name of a function that is stored as an attribute: `silu`.
    pub(crate) fn function(&self, name: &str) -> Option<&str> {
        self.archive.pickle().class_name(self.lookup(name)?)?.rsplit('.').next()
    }

    /// Irreps such as `128x0e+128x1o` as (multiplicity, degree, parity).
    pub(crate) fn irreps(&self, name: &str) -> Result<Vec<(usize, usize, i64)>, ModelError> {
        let value = self.lookup(name).ok_or_else(|| self.error(format!("there are no irreps `{name}`")))?;
        self.parse_irreps(value).ok_or_else(|| self.error(format!("`{name}` is no list of irreps")))
    }

    fn parse_irreps(&self, value: Value) -> Option<Vec<(usize, usize, i64)>> {
        let integer = |v: &Value| match v {
            Value::Int(n) => Some(*n),
            _ => None,
        };
        let parse = |term: &Value| {
            let [multiplicity, irrep] = self.tuple(*term)? else { return None };
            let [l, parity] = self.tuple(*irrep)? else { return None };
            let natural = |v: &Value| usize::try_from(integer(v)?).ok();
            Some((natural(multiplicity)?, natural(l)?, integer(parity)?))
        };
        self.tuple(value)?.iter().map(parse).collect()
    }

    /// Items of a tuple or of an instance of a class derived from tuple, whose arguments they are.
    fn tuple(&self, value: Value) -> Option<&'a [Value]> {
        let pickle = self.archive.pickle();
        match pickle.node(value)? {
            Node::Object { arguments, .. } => {
                let items = pickle.items(*arguments)?;
                // `tuple.__new__(cls, items)` wraps its items once more.
                match items {
                    [only] => pickle.items(*only).or(Some(items)),
                    _ => Some(items),
                }
            }
            _ => pickle.items(value),
        }
    }
}
