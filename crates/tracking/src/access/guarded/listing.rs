//! Pages of what a sender may see, which tell nothing of what they may not: not by shorter pages, and not by
//! tokens.

use trainyard_mlflow::{Page, Result};

use crate::store::page;

/// What one page of a listing is to hold.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// One of ours: how many things that the sender may see come before.
    pub(super) page_token: Option<&'a str>,
    /// None if the request did not say.
    pub(super) max_results: Option<i64>,
    /// What it is then.
    pub(super) default: i64,
    /// Largest page of the store, for what is looked through.
    pub(super) largest: i64,
}

/// The page, out of those of the store. `next` asks it for one: of how many things, and which.
///
/// All of them are looked through from the first: an offset into the store's own list would tell how many
/// things there are before it.
pub(super) async fn visible<T, F>(
    asked: &Asked<'_>,
    mut next: impl FnMut(Option<i64>, Option<String>) -> F + Send,
    is_visible: impl Fn(&T) -> Result<bool> + Send,
) -> Result<Page<T>>
where
    T: Send,
    F: Future<Output = Result<Page<T>>> + Send,
{
    let start = page::offset(asked.page_token)?;
    // The store refuses a size that is none, and texts that are no filter.
    let mut found = next(asked.max_results, None).await?;
    let size = asked.max_results.unwrap_or(asked.default);
    let mut before = 0;
    let mut items = Vec::new();
    loop {
        for item in found.items {
            if !is_visible(&item)? {
                continue;
            }
            if before < start {
                before += 1;
            } else if i64::try_from(items.len()).is_ok_and(|held| held >= size) {
                let next_page_token = Some(page::token(start.saturating_add(size)));
                return Ok(Page { items, next_page_token });
            } else {
                items.push(item);
            }
        }
        let Some(token) = found.next_page_token else {
            return Ok(Page { items, next_page_token: None });
        };
        found = next(Some(asked.largest), Some(token)).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Numbers from 0 to 99 in pages, as a store lists them.
    async fn numbers(max_results: Option<i64>, token: Option<String>) -> Result<Page<i64>> {
        let start = page::offset(token.as_deref())?;
        let end = (start + max_results.unwrap_or(10)).min(100);
        let next_page_token = (end < 100).then(|| page::token(end));
        Ok(Page { items: (start..end).collect(), next_page_token })
    }

    async fn pages(
        is_visible: impl Fn(i64) -> bool + Send + Sync + Copy,
        size: i64,
    ) -> Vec<Vec<i64>> {
        let mut pages = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let asked = Asked {
                page_token: token.as_deref(),
                max_results: Some(size),
                default: 10,
                largest: 50,
            };
            let page = visible(&asked, numbers, |number| Ok(is_visible(*number))).await.unwrap();
            pages.push(page.items);
            token = page.next_page_token;
            if token.is_none() {
                return pages;
            }
        }
    }

    #[tokio::test]
    async fn pages_are_as_if_nothing_else_was_there() {
        for size in [1, 3, 7, 33, 34, 100] {
            let found = pages(|number| number % 3 == 0, size).await;
            let expected: Vec<i64> = (0..100).step_by(3).collect();
            assert_eq!(found.concat(), expected, "{size}");
            let size = usize::try_from(size).unwrap();
            let sizes: Vec<usize> = found.iter().map(Vec::len).collect();
            let expected: Vec<usize> = expected.chunks(size).map(<[i64]>::len).collect();
            assert_eq!(sizes, expected, "{size}");
        }
        assert_eq!(pages(|_number| false, 5).await, [Vec::<i64>::new()]);
    }

    #[tokio::test]
    async fn what_is_hidden_is_asked_for_in_large_pages() {
        let asked_for = Mutex::new(Vec::new());
        let asked = Asked { page_token: None, max_results: Some(1), default: 10, largest: 50 };
        let next = |size, token| {
            asked_for.lock().unwrap().push(size);
            numbers(size, token)
        };
        let page = visible(&asked, next, |number| Ok(*number == 99)).await.unwrap();
        assert_eq!((page.items, page.next_page_token), (vec![99], None));
        assert_eq!(*asked_for.lock().unwrap(), [Some(1), Some(50), Some(50)]);
    }
}
