//! From a training script to a governed, schema-enforced, monitored production API.

fn main() {}
