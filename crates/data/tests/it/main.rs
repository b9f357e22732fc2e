//! Reading and writing tables, against real files and the real pandas.

mod pandas;
