//! Two JSON values, field by field.
