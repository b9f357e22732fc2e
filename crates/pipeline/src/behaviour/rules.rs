//! `[gate.behaviour]`: how many requests are asked again, and how many answers may differ.

use serde::Deserialize;

/// Most requests of one comparison: each is asked twice, one of the two where clients are being served.
const SAMPLE_MAX: usize = 10_000;

/// Most rows that a report shows.
const ROWS_MAX: usize = 100;

/// `[gate.behaviour]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BehaviourRules {
    /// Share of answers that may differ from those of the version that serves; any if none.
    pub max_changed: Option<f64>,
    /// How many of the last requests are asked again; 0 for none.
    pub sample: usize,
    /// How far a predicted number may be from the other one, relative to the larger: 0.05 is 5 %.
    pub tolerance: f64,
    /// How many of the rows that changed most are shown, with what clients sent; 0 for none.
    pub rows: usize,
}

impl Default for BehaviourRules {
    fn default() -> Self {
        Self { max_changed: None, sample: 500, tolerance: 0.05, rows: 5 }
    }
}

impl BehaviourRules {
    pub(crate) fn check(&self) -> Result<(), String> {
        let key = "gate.behaviour";
        if let Some(share) = self.max_changed
            && !(0.0..=1.0).contains(&share)
        {
            return Err(format!("{key}.max_changed = {share}: a share between 0 and 1, like 0.2"));
        }
        if !self.tolerance.is_finite() || self.tolerance < 0.0 {
            return Err(format!(
                "{key}.tolerance = {}: a number like 0.05, not below 0",
                self.tolerance
            ));
        }
        for (name, value, max) in
            [("sample", self.sample, SAMPLE_MAX), ("rows", self.rows, ROWS_MAX)]
        {
            if value > max {
                return Err(format!("{key}.{name} = {value}: at most {max}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_named() {
        assert_eq!(BehaviourRules::default().check(), Ok(()));
        for (text, key) in [
            ("max_changed = 20.0", "max_changed"),
            ("max_changed = nan", "max_changed"),
            ("tolerance = -1.0", "tolerance"),
            ("sample = 100000", "sample"),
            ("rows = 1000", "rows"),
        ] {
            let rules: BehaviourRules = toml::from_str(text).unwrap();
            assert!(rules.check().unwrap_err().contains(key), "{text}");
        }
    }
}
