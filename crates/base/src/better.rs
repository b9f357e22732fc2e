//! Which values of a metric are better: a training's losses are to be small, its scores large.

/// Parts of names of what is better when it is smaller, wherever they stand.
const SMALLER: [&str; 7] = ["loss", "error", "rmse", "mse", "mae", "mape", "brier"];
/// Words of names of what is better when it is smaller.
const SMALLER_WORDS: [&str; 21] = [
    "perplexity",
    "ppl",
    "wer",
    "cer",
    "nll",
    "deviance",
    "aic",
    "bic",
    "fid",
    "rmsle",
    "smape",
    "wape",
    "eer",
    "fpr",
    "fnr",
    "ece",
    "latency",
    "regret",
    "hinge",
    "entropy",
    "residual",
];
/// Words of names of what is better when it is larger.
const LARGER_WORDS: [&str; 42] = [
    "accuracy",
    "acc",
    "auc",
    "auroc",
    "auprc",
    "roc",
    "f1",
    "fbeta",
    "precision",
    "recall",
    "r2",
    "score",
    "map",
    "ap",
    "ndcg",
    "mrr",
    "bleu",
    "rouge",
    "meteor",
    "iou",
    "miou",
    "dice",
    "jaccard",
    "kappa",
    "mcc",
    "gini",
    "ks",
    "lift",
    "specificity",
    "sensitivity",
    "tpr",
    "tnr",
    "likelihood",
    "psnr",
    "ssim",
    "silhouette",
    "reward",
    "return",
    "sharpe",
    "profit",
    "throughput",
    "hits",
];

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Larger,
    Smaller,
}

impl Better {
    /// `larger` or `smaller`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Larger => "larger",
            Self::Smaller => "smaller",
        }
    }

    /// What [`Better::name`] wrote; none for anything else.
    pub fn read(text: &str) -> Option<Self> {
        [Self::Larger, Self::Smaller].into_iter().find(|better| better.name() == text)
    }

    /// As far as the name of a metric tells: `val/loss` and `testRMSE` shrink, `accuracy_score` grows, of `epoch` nothing
    /// is known.
    pub fn by_name(metric: &str) -> Option<Self> {
        let name = metric.to_ascii_lowercase();
        let has = |known: &[&str]| words(metric).any(|word| known.contains(&word.as_str()));
        if SMALLER.iter().any(|part| name.contains(part)) || has(&SMALLER_WORDS) {
            return Some(Self::Smaller);
        }
        has(&LARGER_WORDS).then_some(Self::Larger)
    }

    /// Whether one finite value is better than another.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Self::Larger => value > than,
            Self::Smaller => value < than,
        }
    }
}

/// The words of a name, without case: `valAUC@10` is val, auc, 10.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        let is_part = character.is_alphanumeric();
        if (!is_part || (was_lower && character.is_uppercase()))
            && words.last().is_some_and(|word| !word.is_empty())
        {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| is_part) {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_better() {
        use Better::{Larger, Smaller};
        for (metric, better) in [
            ("val/loss", Some(Smaller)),
            ("testRMSE", Some(Smaller)),
            ("mean_absolute_error", Some(Smaller)),
            ("eval_perplexity", Some(Smaller)),
            ("cross-entropy", Some(Smaller)),
            ("log_loss_score", Some(Smaller)),
            ("accuracy_score", Some(Larger)),
            ("valAUC@10", Some(Larger)),
            ("f1", Some(Larger)),
            ("train.R2", Some(Larger)),
            ("epoch", None),
            ("learning_rate", None),
            ("maps_read", None),
            ("system/gpu_0_memory", None),
            ("", None),
        ] {
            assert_eq!(Better::by_name(metric), better, "{metric}");
        }
        assert!(Larger.is_better(2.0, 1.0) && Smaller.is_better(1.0, 2.0));
        assert!(!Larger.is_better(1.0, 1.0) && !Smaller.is_better(f64::NAN, 1.0));
        assert_eq!(Better::read(Smaller.name()), Some(Smaller));
        assert_eq!(Better::read("less"), None);
    }
}
