//! Takes out of decoded protobuf what traces do not have: indexes into the string table of profiles.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::tally::{Notes, WarningKind};

pub(super) fn plain_span(span: &mut Span, notes: &mut Notes) {
    attributes(&mut span.attributes, notes);
    for event in &mut span.events {
        attributes(&mut event.attributes, notes);
    }
    for link in &mut span.links {
        attributes(&mut link.attributes, notes);
    }
}

pub(super) fn plain_resource(resource: &mut Resource, notes: &mut Notes) {
    attributes(&mut resource.attributes, notes);
}

pub(super) fn plain_scope(scope: &mut InstrumentationScope, notes: &mut Notes) {
    attributes(&mut scope.attributes, notes);
}

fn attributes(attributes: &mut [KeyValue], notes: &mut Notes) {
    for attribute in attributes {
        if std::mem::take(&mut attribute.key_strindex) != 0 {
            notes.add(WarningKind::StringIndex, "keyStrindex");
        }
        if let Some(value) = &mut attribute.value {
            any_value(value, notes);
        }
    }
}

/// As deep as the decoder lets values be.
fn any_value(value: &mut AnyValue, notes: &mut Notes) {
    match &mut value.value {
        Some(Any::StringValueStrindex(_)) => {
            notes.add(WarningKind::StringIndex, "stringValueStrindex");
            value.value = None;
        }
        Some(Any::ArrayValue(array)) => array.values.iter_mut().for_each(|item| any_value(item, notes)),
        Some(Any::KvlistValue(list)) => attributes(&mut list.values, notes),
        _ => {}
    }
}
