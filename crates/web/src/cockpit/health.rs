//! Whether a model's production is all right, as a colour and a word: from what is recorded of the version and of its
//! data.

use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{ModelVersion, Run, Tag};

/// How production is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// Somebody should look.
    Warning,
    Bad,
    /// Nobody looked at its data, and no release says how it is.
    Unknown,
}

impl Health {
    /// That of a version in production, with the last look at its data.
    pub(crate) fn of(version: &ModelVersion, look: Option<&Run>) -> Self {
        let tag = |key: &str| Tag::find(&version.tags, key);
        // The alias is here, and the traffic is elsewhere.
        if tag("trainyard.refused").is_some() && tag(tags::STATE) != Some("released") {
            return Self::Bad;
        }
        let verdict = look.and_then(|run| Tag::find(&run.data.tags, tags::VERDICT));
        match (tag(tags::STATE), verdict) {
            (Some("rolled_back" | "refused"), _) | (_, Some("drift" | "broken")) => Self::Bad,
            (_, Some("warning")) => Self::Warning,
            (Some("released"), _) | (_, Some("stable")) => Self::Good,
            _ => Self::Unknown,
        }
    }

    /// How much it is to be looked at: 0 the most.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Bad => 0,
            Self::Warning => 1,
            Self::Unknown => 2,
            Self::Good => 3,
        }
    }

    /// The worse of this and of what is known of its service, if anything is. A record of a service makes nothing
    /// better: it may serve another version, and whoever may make an experiment may write one.
    pub(crate) fn and(self, service: Option<Self>) -> Self {
        match service {
            Some(service) if service.rank() < self.rank() => service,
            _ => self,
        }
    }

    /// The colour, and the word for whoever sees none.
    pub(crate) fn dot(self) -> Markup {
        let (class, word) = match self {
            Self::Good => ("good", "all right"),
            Self::Warning => ("warning", "to be looked at"),
            Self::Bad => ("bad", "not all right"),
            Self::Unknown => ("unknown", "not known"),
        };
        html! { span class={ "dot " (class) } role="img" aria-label=(word) title=(word) {} }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_says_the_worst_that_is_known() {
        let of = |state: &[(&str, &str)], verdict: Option<&str>| {
            let tags = state.iter().map(|(key, value)| Tag::new(*key, *value)).collect();
            let version = ModelVersion { tags, ..ModelVersion::default() };
            let look = verdict.map(|verdict| {
                let mut run = Run::default();
                run.data.tags = vec![Tag::new(tags::VERDICT, verdict)];
                run
            });
            Health::of(&version, look.as_ref())
        };
        let released = [(tags::STATE, "released")];
        assert_eq!(of(&[], None), Health::Unknown);
        assert_eq!(of(&released, None), Health::Good);
        assert_eq!(of(&released, Some("warning")), Health::Warning);
        assert_eq!(of(&released, Some("broken")), Health::Bad);
        assert_eq!(of(&[(tags::STATE, "rolled_back")], Some("stable")), Health::Bad);
        assert_eq!(of(&[("trainyard.refused", "too bad")], Some("stable")), Health::Bad);
        assert_eq!(of(&[], Some("stable")), Health::Good);
    }

    #[test]
    fn what_is_known_of_a_service_is_no_better_than_its_worst() {
        use Health::{Bad, Good, Unknown, Warning};
        for (own, service, both) in [
            (Good, None, Good),
            (Unknown, None, Unknown),
            (Good, Some(Good), Good),
            // It serves, but it is not written down that this version was released.
            (Unknown, Some(Good), Unknown),
            // A service that fell silent.
            (Good, Some(Unknown), Unknown),
            (Bad, Some(Unknown), Bad),
            (Good, Some(Bad), Bad),
            (Warning, Some(Good), Warning),
            (Good, Some(Warning), Warning),
        ] {
            assert_eq!(own.and(service), both, "{own:?} {service:?}");
        }
    }
}
