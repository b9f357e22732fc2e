//! The binary file (`.cbm`): a buffer with features and trees, behind it the tables of CTRs.

use std::collections::{HashMap, HashSet};

use super::file::{
    CategoricalFeature, CtrFeature, CtrKind, CtrTable, File, FloatFeature, OneHotFeature, Shape,
    Source, Trees, malformed, unsupported,
};
use super::flatbuffer::{self, Table};
use crate::Result;
use crate::document::Document;

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"CBM1";

/// How missing values are taken, by its number: above all borders.
const AS_TRUE: i8 = 2;

/// Reads a whole file.
pub(super) fn read(bytes: &[u8]) -> Result<File> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| malformed("it is no CatBoost file"))?;
    let source = flatbuffer::Source::new(sized(&mut rest)?);
    let core = source.root()?;
    let format = core.text(0)?;
    if format != "FlabuffersModel_v1" {
        return Err(unsupported(format!("the file format {format:?}")));
    }
    let mut info = Vec::new();
    for entry in core.tables(2)? {
        info.push((entry.text(0)?, Document::Text(entry.text(1)?)));
    }
    let trees = core.table(1)?;
    refuse_estimated(&trees)?;
    let mut tables = Vec::new();
    for part in core.texts(3)? {
        if part != "static_provider_v1" {
            return Err(unsupported(format!("the model part {part:?}")));
        }
        tables.append(&mut ctr_tables(&mut rest)?);
    }
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes behind the end", rest.len())));
    }
    let outputs = natural(trees.number(0, 0)?)?;
    let file = File {
        floats: float_features(&trees)?,
        categories: categorical_features(&trees)?,
        one_hot: one_hot_features(&trees)?,
        ctrs: ctr_features(&trees)?,
        tables,
        trees: read_trees(&trees)?,
        scale: trees.number(14, 1.0)?,
        bias: bias(&trees, outputs)?,
        info,
    };
    file.check()?;
    Ok(file)
}

/// The next part, behind its size.
fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let size = size(rest)?;
    let (part, behind) = rest.split_at_checked(size).ok_or_else(|| malformed("it is cut"))?;
    *rest = behind;
    Ok(part)
}

fn size(rest: &mut &[u8]) -> Result<usize> {
    let (small, behind) = rest.split_first_chunk().ok_or_else(|| malformed("it is cut"))?;
    *rest = behind;
    let small = u32::from_le_bytes(*small);
    if small != u32::MAX {
        return Ok(small as usize);
    }
    let (large, behind) = rest.split_first_chunk().ok_or_else(|| malformed("it is cut"))?;
    *rest = behind;
    usize::try_from(u64::from_le_bytes(*large)).map_err(|_| malformed("it is cut"))
}

/// Refuses what is computed of texts and embeddings.
fn refuse_estimated(trees: &Table<'_>) -> Result<()> {
    for (field, kind) in [(12, "text"), (18, "embedding")] {
        if let Some(feature) = trees.tables(field)?.first() {
            return Err(unsupported(format!("the {kind} feature {}", named(feature)?)));
        }
    }
    if trees.tables(13)?.is_empty() {
        return Ok(());
    }
    Err(unsupported("a feature that is estimated from others"))
}

/// The name of a feature, or its column.
fn named(feature: &Table<'_>) -> Result<String> {
    let name = feature.text(2)?;
    Ok(if name.is_empty() { feature.number(1, -1_i32)?.to_string() } else { format!("{name:?}") })
}

fn natural(number: i32) -> Result<usize> {
    usize::try_from(number).map_err(|_| malformed(format!("a length or number {number}")))
}

fn float_features(trees: &Table<'_>) -> Result<Vec<FloatFeature>> {
    let read = |feature: Table<'_>| {
        Ok(FloatFeature {
            index: natural(feature.number(1, -1)?)?,
            column: natural(feature.number(2, -1)?)?,
            name: feature.text(4)?,
            borders: feature.list(3)?,
            missing_is_above: feature.number(0, 0_u8)? != 0 && feature.number(5, 0)? == AS_TRUE,
        })
    };
    trees.tables(5)?.into_iter().map(read).collect()
}

fn categorical_features(trees: &Table<'_>) -> Result<Vec<CategoricalFeature>> {
    let read = |feature: Table<'_>| {
        Ok(CategoricalFeature {
            index: natural(feature.number(0, -1)?)?,
            column: natural(feature.number(1, -1)?)?,
            name: feature.text(2)?,
            is_used: feature.number(3, 1_u8)? != 0,
        })
    };
    trees.tables(4)?.into_iter().map(read).collect()
}

fn one_hot_features(trees: &Table<'_>) -> Result<Vec<OneHotFeature>> {
    let read = |feature: Table<'_>| {
        let index = natural(feature.number(0, -1)?)?;
        Ok(OneHotFeature { index, values: feature.list(1)? })
    };
    trees.tables(6)?.into_iter().map(read).collect()
}

fn ctr_features(trees: &Table<'_>) -> Result<Vec<CtrFeature>> {
    let read = |feature: Table<'_>| {
        let ctr = feature.table(0)?;
        Ok(CtrFeature {
            source: source(&ctr.table(0)?)?,
            target_border: natural(ctr.number(1, 0)?)?,
            prior: (ctr.number(2, 0.0)?, ctr.number(3, 1.0)?),
            shift: ctr.number(4, 0.0)?,
            scale: ctr.number(5, 1.0)?,
            borders: feature.list(1)?,
        })
    };
    trees.tables(7)?.into_iter().map(read).collect()
}

fn source(base: &Table<'_>) -> Result<Source> {
    let combination = base.table(0)?;
    let categories = combination.list(0)?.into_iter().map(natural);
    let floats = combination.list::<(i32, f32)>(1)?.into_iter();
    let floats = floats.map(|(index, border)| Ok((natural(index)?, border.to_bits())));
    let one_hot = combination.list::<(i32, i32)>(2)?.into_iter();
    let kind = base.number(1, 0_i8)?;
    let named = usize::try_from(kind).ok().and_then(|kind| CtrKind::NAMES.get(kind));
    let &(_, kind) = named.ok_or_else(|| malformed(format!("a CTR of type {kind}")))?;
    Ok(Source {
        categories: categories.collect::<Result<_>>()?,
        floats: floats.collect::<Result<_>>()?,
        one_hot: one_hot
            .map(|(index, value)| Ok((natural(index)?, value)))
            .collect::<Result<_>>()?,
        kind,
        cuts: base.number(2, 0)?,
    })
}

fn read_trees(trees: &Table<'_>) -> Result<Trees> {
    let sizes = trees.list(2)?.into_iter().map(natural).collect::<Result<Vec<_>>>()?;
    let splits = trees.list::<i32>(1)?.into_iter();
    let splits = splits.map(|split| u32::try_from(split).map_err(|_| malformed("a split")));
    let starts = trees.list(3)?.into_iter().map(natural).collect::<Result<Vec<_>>>()?;
    let begin = sizes.iter().scan(0_usize, |next, &size| {
        let this = *next;
        *next = next.saturating_add(size);
        Some(this)
    });
    if !begin.eq(starts) {
        return Err(malformed("trees do not begin where the ones before end"));
    }
    let steps = trees.list::<(u16, u16)>(10)?;
    let places = trees.list::<u32>(11)?;
    let shape = if steps.is_empty() && places.is_empty() {
        Shape::Symmetric
    } else {
        let steps = steps.into_iter().map(|(left, right)| (u32::from(left), u32::from(right)));
        Shape::Nodes { steps: steps.collect(), places }
    };
    Ok(Trees {
        shape,
        sizes,
        splits: splits.collect::<Result<_>>()?,
        leaves: trees.list(8)?,
        weights: trees.list(9)?,
    })
}

/// One number of older files, or one for each output.
fn bias(trees: &Table<'_>, outputs: usize) -> Result<Vec<f64>> {
    let each: Vec<f64> = trees.list(16)?;
    let one = trees.number(15, 0.0)?;
    match each.len() {
        0 if outputs == 1 => Ok(vec![one]),
        // A file says how many before it holds as many values.
        0 if one == 0.0 && outputs <= trees.list::<f64>(8)?.len() => Ok(vec![0.0; outputs]),
        count if count == outputs => Ok(each),
        count => Err(malformed(format!("{count} biases for {outputs} outputs"))),
    }
}

/// The part of the tables.
fn ctr_tables(rest: &mut &[u8]) -> Result<Vec<CtrTable>> {
    let count = size(rest)?;
    let mut tables = Vec::new();
    let mut seen = HashSet::new();
    for _ in 0..count {
        let source = flatbuffer::Source::new(sized(rest)?);
        let table = ctr_table(&source.root()?)?;
        if !seen.insert(table.source.clone()) {
            return Err(malformed("a table of CTRs is there twice"));
        }
        tables.push(table);
    }
    Ok(tables)
}

fn ctr_table(table: &Table<'_>) -> Result<CtrTable> {
    /// What stands for an empty place, as in CatBoost.
    const EMPTY: u64 = u64::MAX;
    let buckets = table.list::<u8>(1)?;
    let blob = table.list::<u8>(2)?;
    if !buckets.len().is_multiple_of(12) || !blob.len().is_multiple_of(4) {
        return Err(malformed("a table of CTRs ends within a number"));
    }
    let buckets = buckets.chunks_exact(12).filter_map(<(u64, u32) as flatbuffer::Little>::read);
    let mut places = HashMap::new();
    for (hash, place) in buckets.filter(|(hash, _)| *hash != EMPTY) {
        if places.insert(hash, place).is_some() {
            return Err(malformed("a combination of categories is there twice"));
        }
    }
    let counts = blob.chunks_exact(4).filter_map(<i32 as flatbuffer::Little>::read);
    Ok(CtrTable {
        source: source(&table.table(0)?)?,
        places,
        counts: counts.collect(),
        denominator: table.number(3, 0)?,
        classes: natural(table.number(4, 0)?)?,
    })
}
