//! Answers that are made while they are sent, and other work that blocks.
//!
//! Reading the state may wait for the disk, and a long answer is read and unpacked for a while: not
//! on the threads that serve every connection.

use axum::body::{Body, Bytes};
use dkron_core::{Error, ErrorKind};
use futures_util::{StreamExt as _, stream};

/// A part of an answer.
pub(super) struct Piece {
    pub(super) text: String,
    /// Nothing follows it.
    pub(super) is_last: bool,
}

/// An answer that is made a piece at a time.
pub(super) trait Pieces: Send + 'static {
    /// Makes the next piece. Blocks; not called again after the last piece, or an error.
    fn next_piece(&mut self) -> Result<Piece, Error>;
}

/// Does `work` on a thread that may block.
///
/// # Errors
///
/// Those of the work; [`ErrorKind::Internal`] if it panics.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "answer a request: please report it")
            .with_source(error))
    })
}

/// Makes an answer: its first piece now, each of the others when the client has taken the one
/// before it.
///
/// # Errors
///
/// That of the first piece. A later one ends the body before its end.
pub(super) async fn body_of(pieces: impl Pieces) -> Result<Body, Error> {
    let (first, pieces) = next(pieces).await?;
    if first.is_last {
        return Ok(Body::from(first.text));
    }
    let rest = stream::unfold(Some(pieces), |pieces| async move {
        match next(pieces?).await {
            Ok((piece, pieces)) => {
                let pieces = if piece.is_last { None } else { Some(pieces) };
                Some((Ok(Bytes::from(piece.text)), pieces))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    let first = stream::iter([Ok(Bytes::from(first.text))]);
    Ok(Body::from_stream(first.chain(rest)))
}

async fn next<P: Pieces>(mut pieces: P) -> Result<(Piece, P), Error> {
    blocking(move || {
        let piece = pieces.next_piece()?;
        Ok((piece, pieces))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};

    use axum::body::{HttpBody as _, to_bytes};

    use super::*;

    /// Pieces that may be made anywhere but on one thread.
    struct Elsewhere {
        than: ThreadId,
        texts: Vec<Result<&'static str, ErrorKind>>,
    }

    impl Pieces for Elsewhere {
        fn next_piece(&mut self) -> Result<Piece, Error> {
            assert_ne!(thread::current().id(), self.than, "it blocks who serves the others");
            let text = self.texts.remove(0).map_err(|kind| Error::new(kind, "read"))?;
            Ok(Piece { text: text.to_owned(), is_last: self.texts.is_empty() })
        }
    }

    async fn body(texts: &[Result<&'static str, ErrorKind>]) -> Result<Body, Error> {
        body_of(Elsewhere { than: thread::current().id(), texts: texts.to_vec() }).await
    }

    #[tokio::test]
    async fn every_piece_is_made_on_a_thread_that_may_block() {
        let body = body(&[Ok("[1,"), Ok("2,"), Ok("3]")]).await.unwrap();
        assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), "[1,2,3]");
    }

    #[tokio::test]
    async fn an_answer_of_one_piece_tells_its_length() {
        let body = body(&[Ok("[]")]).await.unwrap();
        assert_eq!(body.size_hint().exact(), Some(2));
    }

    #[tokio::test]
    async fn a_fault_before_the_answer_begins_is_told_and_a_later_one_cuts_it_off() {
        let error = body(&[Err(ErrorKind::Storage)]).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Storage);

        let body = body(&[Ok("[1,"), Err(ErrorKind::Storage)]).await.unwrap();
        assert!(to_bytes(body, usize::MAX).await.is_err());
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let error = blocking::<()>(|| panic!("as in a bug")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
