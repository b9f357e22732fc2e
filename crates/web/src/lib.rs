//! The pages people look at: experiments, runs, registry.
