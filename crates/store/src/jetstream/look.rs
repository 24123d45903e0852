//! Looking at what NATS has of a log: by the checks of opening it, without opening it.

use super::{JetStream, JetStreamError, JetStreamOptions, connection, stream};

/// What NATS has answered to somebody who wanted to know whether a log could be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JetStreamFound {
    /// The version of the server that was reached; it is new enough, and has JetStream.
    pub version: String,
    /// Whether the streams are as they must be; [`JetStreamError::Missing`]: there are none yet.
    pub streams: Result<(), JetStreamError>,
}

impl JetStream {
    /// Connects, and looks at the streams. It makes and changes nothing, reads no entry, and is no node meanwhile.
    /// Blocks for about as long as the options' patience says, at most.
    ///
    /// # Errors
    ///
    /// Why NATS cannot be used; see [`JetStreamError`].
    pub fn look(options: &JetStreamOptions) -> Result<JetStreamFound, JetStreamError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| JetStreamError::Thread(error.to_string()))?;
        let options = JetStreamOptions { create: false, ..options.clone() };
        let found = runtime.block_on(async {
            let (client, context) = connection::open(&options).await?;
            let opened = connection::patiently(&options, async || stream::open(&context, &options).await);
            let streams = opened.await.map(drop);
            Ok(JetStreamFound { version: client.server_info().version, streams })
        });
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        found
    }
}
