//! How a canary goes: a share of the requests, for a time, step by step.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainyard_base::duration;

/// What a whole is, in the parts that a share is counted in.
const WHOLE: u32 = 10_000;

/// Steps of a canary: more than anybody waits for.
const STEPS_MAX: usize = 20;

/// A share of the requests, in ten-thousandths: more than nothing and less than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Share(u32);

impl Share {
    /// The share as a part of one.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }
}

impl TryFrom<u32> for Share {
    type Error = String;

    fn try_from(parts: u32) -> Result<Self, String> {
        if (1..WHOLE).contains(&parts) {
            return Ok(Self(parts));
        }
        Err(format!("a share of {parts} in {WHOLE} is nothing or all"))
    }
}

impl From<Share> for u32 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) * 100.0 / f64::from(WHOLE))
    }
}

/// A text is no step of a canary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no step of a canary ({reason}), try \"5% 10m\"")]
pub struct NoStep {
    text: String,
    reason: String,
}

/// A step: so much of the traffic for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryStep {
    /// Share of the requests that green gets.
    pub share: Share,
    /// How long.
    pub time: Duration,
}

impl FromStr for CanaryStep {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        let wrong = |reason: String| NoStep { text: text.to_owned(), reason };
        let (percent, time) = text
            .trim()
            .split_once('%')
            .ok_or_else(|| wrong("it says no share in percent".to_owned()))?;
        let percent: f64 = percent
            .trim()
            .parse()
            .map_err(|_| wrong(format!("{:?} is no number", percent.trim())))?;
        let parts = (percent * f64::from(WHOLE) / 100.0).round();
        if !(1.0..f64::from(WHOLE)).contains(&parts) {
            return Err(wrong("a share is more than 0 % and less than 100 %".to_owned()));
        }
        let share = Share(parts as u32);
        let time = duration::parse(time).map_err(|error| wrong(error.to_string()))?;
        if time.is_zero() {
            return Err(wrong("it takes no time".to_owned()));
        }
        Ok(Self { share, time })
    }
}

impl CanaryStep {
    /// All steps of a canary, from texts like `"5% 10m"`.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, NoStep> {
        if let Some(text) = texts.get(STEPS_MAX) {
            let reason =
                format!("there are {STEPS_MAX} steps before it, which is all there may be");
            return Err(NoStep { text: text.clone(), reason });
        }
        texts.iter().map(|text| text.parse()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_as_people_write_them() {
        for (text, parts, time) in [
            ("5% 10m", 500, Duration::from_mins(10)),
            (" 0.5 % 1h 30m ", 50, Duration::from_mins(90)),
            ("99.99%1s", 9999, Duration::from_secs(1)),
        ] {
            let step: CanaryStep = text.parse().unwrap();
            assert_eq!((u32::from(step.share), step.time), (parts, time), "{text}");
        }
        for text in ["", "5 10m", "5%", "0% 1m", "100% 1m", "-5% 1m", "5% 10", "5% 0s", "x% 1m"] {
            let error = text.parse::<CanaryStep>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no step")), "{error}");
        }
        assert!(CanaryStep::parse_all(&vec!["5% 1m".to_owned(); STEPS_MAX + 1]).is_err());
    }

    #[test]
    fn steps_are_kept_as_numbers() {
        let step: CanaryStep = "12.5% 90s".parse().unwrap();
        let kept = serde_json::to_string(&step).unwrap();
        assert_eq!(kept, r#"{"share":1250,"time":{"secs":90,"nanos":0}}"#);
        assert_eq!(serde_json::from_str::<CanaryStep>(&kept).unwrap(), step);
        assert!(serde_json::from_str::<Share>("0").is_err());
        assert_eq!(step.share.to_string(), "12.5 %");
    }
}
