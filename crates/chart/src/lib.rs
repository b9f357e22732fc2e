//! SVG charts in a few hundred bytes each, without scripts or fonts: numbers in, an `<svg>` element out.
//!
//! Charts of pages ([`histogram`], [`cumulative`], [`quantiles`], [`pairs`], [`history`], [`lines`],
//! [`intervals`], [`over_time`], [`scatter`], [`boxes`], [`parallel`]) leave their colours
//! to the page's style sheet, so that one chart serves light, dark and paper (`canvas::page` has the
//! classes). The two sides of a comparison also differ in form: the reference is a filled area, current
//! a line. Charts that are files of their own ([`confusion`], [`roc`], [`residuals`], [`importance`])
//! bring their colours along.

mod axis;
pub mod boxes;
mod canvas;
pub mod confusion;
pub mod cumulative;
mod frame;
pub mod histogram;
pub mod history;
pub mod importance;
pub mod intervals;
pub mod lines;
mod number;
pub mod over_time;
pub mod pairs;
pub mod parallel;
mod plane;
pub mod quantiles;
pub mod residuals;
pub mod roc;
pub mod scatter;

pub use canvas::Svg;
pub use number::short;
