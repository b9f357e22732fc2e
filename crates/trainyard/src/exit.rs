//! Exit codes: by them a script knows whose turn it is.

/// Something failed on the way.
pub(crate) const FAILED: u8 = 1;
/// What the user gave is wrong.
pub(crate) const INPUT: u8 = 2;
/// A verdict on the data that is not accepted. (3, the gate's, comes from the pipeline's error.)
pub(crate) const DRIFT: u8 = 4;

/// What help says of them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something failed on the way (a server not reached, a port in use, an unhealthy instance)
  2  wrong input (flags, trainyard.toml, data)
  3  the gate refused the version
  4  the data has drifted or quality fell, or nobody can tell (--fail-on-drift, --fail-on)";
