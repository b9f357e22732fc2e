//! Projections and centres: PCA, truncated SVD, independent components, k-means, Birch.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max};
use super::reader::{Boxed, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] = &[
    Reader::new("PCA IncrementalPCA TruncatedSVD FastICA", |fields, _| projection(fields)),
    Reader::new("KMeans MiniBatchKMeans", |fields, _| centres(fields)),
    Reader::new("Birch", |fields, _| Subclusters::read(fields)),
];

/// `PCA`, `TruncatedSVD`, `FastICA` (whose components are whitened already): a projection.
#[derive(Debug)]
struct Projection {
    mean: Option<Vec<f64>>,
    components: Matrix,
    divide: Option<Vec<f64>>,
}

fn projection(fields: Fields<'_>) -> Result<Boxed> {
    let whiten = fields.name() != "FastICA" && fields.flag("whiten", false);
    Ok(Box::new(Projection {
        mean: fields.optional_numbers("mean_")?,
        components: fields.matrix("components_")?,
        divide: if whiten {
            // Directions without variance are kept from growing without bound, as scikit-learn does.
            Some(
                fields
                    .numbers("explained_variance_")?
                    .into_iter()
                    .map(|x| x.sqrt().max(f64::EPSILON))
                    .collect(),
            )
        } else {
            None
        },
    }))
}

impl Estimator for Projection {
    fn transform(&self, x: Table) -> Result<Table> {
        let mut result = if let Some(mean) = &self.mean {
            let mut x = x.finite()?.into_owned();
            x.check_width(mean.len())?;
            x.each_row_mut()
                .for_each(|row| row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean));
            x.times_transposed(&self.components, &[])?
        } else {
            x.times_transposed(&self.components, &[])?
        };
        if let Some(divide) = &self.divide {
            result
                .each_row_mut()
                .for_each(|row| row.iter_mut().zip(divide).for_each(|(x, by)| *x /= by));
        }
        Ok(Table::Matrix(result))
    }
}

/// `KMeans`: the nearest centre.
#[derive(Debug)]
pub(super) struct Centres(pub(super) Matrix);

fn centres(fields: Fields<'_>) -> Result<Boxed> {
    Ok(Box::new(Centres::read(fields)?))
}

impl Centres {
    /// Reads `cluster_centers_`; there are as many as `n_clusters` says.
    pub(super) fn read(fields: Fields<'_>) -> Result<Self> {
        let centres = fields.matrix("cluster_centers_")?;
        let expected = fields.count("n_clusters")?;
        if centres.rows != expected {
            return Err(fields.malformed(format!("{} centres, not {expected}", centres.rows)));
        }
        Ok(Self(centres))
    }
}

impl Centres {
    /// The distance of each row to each centre.
    fn distances(&self, x: &Table) -> Result<Matrix> {
        let x = x.finite()?;
        x.check_width(self.0.columns)?;
        let mut result = Matrix::zeros(x.rows, self.0.rows)?;
        for (row, distances) in x.each_row().zip(result.each_row_mut()) {
            for (distance, centre) in distances.iter_mut().zip(self.0.each_row()) {
                *distance =
                    row.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum::<f64>().sqrt();
            }
        }
        Ok(result)
    }

    /// The nearest centre of each row.
    fn nearest(&self, x: &Table) -> Result<Vec<usize>> {
        let nearest = |row: &[f64]| arg_max(&row.iter().map(|x| -x).collect::<Vec<_>>());
        Ok(self.distances(x)?.each_row().map(nearest).collect())
    }
}

impl Estimator for Centres {
    fn predict(&self, x: &Table) -> Result<Output> {
        let nearest = self.nearest(x)?;
        Ok(Output::Integers(nearest.into_iter().map(|at| at as i64).collect()))
    }

    fn transform(&self, x: Table) -> Result<Table> {
        self.distances(&x).map(Table::Matrix)
    }
}

/// `Birch`: the cluster that the nearest of many small ones is of.
#[derive(Debug)]
struct Subclusters {
    centres: Centres,
    clusters: Vec<i64>,
}

impl Subclusters {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let centres = Centres(fields.matrix("subcluster_centers_")?);
        let clusters = fields.numbers("subcluster_labels_")?;
        fields.check_length("subcluster_labels_", clusters.len(), centres.0.rows)?;
        let clusters = clusters.into_iter().map(|cluster| cluster as i64).collect();
        Ok(Box::new(Self { centres, clusters }))
    }
}

impl Estimator for Subclusters {
    fn predict(&self, x: &Table) -> Result<Output> {
        let nearest = self.centres.nearest(x)?.into_iter();
        Ok(Output::Integers(
            nearest.filter_map(|nearest| self.clusters.get(nearest).copied()).collect(),
        ))
    }

    fn transform(&self, x: Table) -> Result<Table> {
        self.centres.transform(x)
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.centres.0.values.as_slice())
    }
}
