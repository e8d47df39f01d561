//! To and from `serde_json`, for embedders that hold its values. Evidence never goes this
//! way: `serde_json` has already dropped repeated names and rounded numbers when it hands over.

use crate::error::{WriteError, WriteErrorKind};
use crate::limits::Limits;
use crate::number::Number;
use crate::path::Path;
use crate::value::Value;

/// Takes over a `serde_json` value; numbers by the literal that `serde_json` writes for them,
/// so that `1.0` stays a fraction. Members are put in canonical order, whatever
/// `preserve_order` says.
///
/// # Errors
/// [`WriteErrorKind::TooDeep`] beyond [`Limits::DEEPEST`] levels.
impl TryFrom<&serde_json::Value> for Value {
    type Error = WriteError;

    fn try_from(json: &serde_json::Value) -> Result<Self, WriteError> {
        take_over(json, &Path::Root, 0)
    }
}

impl Value {
    /// This value for `serde_json`: an integer literal as integer where `i64` or `u64` holds
    /// it, any other number as its nearest double.
    ///
    /// # Errors
    /// [`WriteErrorKind::NumberOverflow`] where no double is that large;
    /// [`WriteErrorKind::TooDeep`] beyond [`Limits::DEEPEST`] levels.
    pub fn to_json(&self) -> Result<serde_json::Value, WriteError> {
        hand_over(self, &Path::Root, 0)
    }
}

fn take_over(json: &serde_json::Value, path: &Path<'_>, depth: usize) -> Result<Value, WriteError> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => Value::String(text.clone()),
        Json::Number(number) => Number::from_literal(&number.to_string())
            .map(Value::Number)
            .ok_or_else(|| path.fail(WriteErrorKind::NumberOverflow))?,
        Json::Array(_) | Json::Object(_) if depth >= Limits::DEEPEST => {
            return Err(path.fail(WriteErrorKind::TooDeep));
        }
        Json::Array(items) => {
            let item = |(index, item)| take_over(item, &Path::Item(path, index), depth + 1);
            Value::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let mut taken = Vec::with_capacity(members.len());
            for (name, value) in members {
                taken.push((name.clone(), take_over(value, &Path::Member(path, name), depth + 1)?));
            }
            Value::object(taken)
        }
    })
}

fn hand_over(value: &Value, path: &Path<'_>, depth: usize) -> Result<serde_json::Value, WriteError> {
    use serde_json::Value as Json;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::String(text) => Json::String(text.clone()),
        Value::Number(number) => {
            Json::Number(json_number(number).ok_or_else(|| path.fail(WriteErrorKind::NumberOverflow))?)
        }
        Value::Array(_) | Value::Object(_) if depth >= Limits::DEEPEST => {
            return Err(path.fail(WriteErrorKind::TooDeep));
        }
        Value::Array(items) => {
            let item = |(index, item)| hand_over(item, &Path::Item(path, index), depth + 1);
            Json::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Value::Object(object) => {
            let mut members = serde_json::Map::new();
            for (name, value) in object.iter() {
                members.insert(name.to_owned(), hand_over(value, &Path::Member(path, name), depth + 1)?);
            }
            Json::Object(members)
        }
    })
}

fn json_number(number: &Number) -> Option<serde_json::Number> {
    let literal = number.literal();
    if literal == "-0" {
        return serde_json::Number::from_f64(-0.0);
    }
    match (literal.parse::<u64>(), literal.parse::<i64>()) {
        (Ok(value), _) => Some(value.into()),
        (_, Ok(value)) => Some(value.into()),
        _ => serde_json::Number::from_f64(number.nearest_double()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::error::WriteErrorKind;
    use crate::number::Number;
    use crate::value::Value;

    #[test]
    fn values_pass_both_ways() {
        let json = json!({"b": [1, -2, 0.5, "x", null, true], "a": {"u": u64::MAX, "i": i64::MIN}});
        let value = Value::try_from(&json).unwrap();
        let numbers = value.get("a").and_then(|a| a.get("u")).and_then(Value::as_number);
        assert_eq!(numbers.map(Number::literal), Some("18446744073709551615"));
        assert_eq!(value.to_json().unwrap(), json);
    }

    #[test]
    fn a_fraction_stays_one() {
        let literal = |json: serde_json::Value| match Value::try_from(&json).unwrap() {
            Value::Number(number) => number.literal().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(literal(json!(1.0)), "1.0");
        assert_eq!(literal(json!(-0.0)), "-0.0");
        assert_eq!(literal(json!(1)), "1");
    }

    #[test]
    fn numbers_go_out_as_serde_json_reads_them() {
        for text in
            ["0", "-0", "1.0", "1e2", "18446744073709551615", "18446744073709551616", "-9223372036854775809"]
        {
            let ours = Value::Number(Number::from_literal(text).unwrap()).to_json().unwrap();
            let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(ours, theirs, "{text}");
        }
        let far = Value::array([Number::from_literal("1e400").unwrap()]);
        let error = far.to_json().unwrap_err();
        assert_eq!((error.kind, error.pointer.as_str()), (WriteErrorKind::NumberOverflow, "/0"));
    }
}
