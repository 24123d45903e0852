//! The table in a terminal, which gets back what it showed before, whatever happens.

use std::collections::HashMap;
use std::io::{self, Write, stdout};
use std::pin::pin;
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event as Input, EventStream};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};
use futures_util::StreamExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::crowd::{Crowd, News};
use super::screen::{Connection, Do, Screen};
use super::source::Source;
use super::time::Time;
use crate::client::Told;
use crate::exit::{Failure, INTERNAL};
use crate::run::stop_signal;

/// Between two pictures, at least: what changes meanwhile is shown together.
const FRAME: Duration = Duration::from_millis(50);

/// Shows the table until `q` is pressed, or a signal comes.
pub(super) async fn watch(source: Source, names: HashMap<String, String>) -> Result<(), Failure> {
    let time = Time::of(source.remote()).await;
    let (crowd, screen) = (Crowd::new(names), Screen::default());
    let mut watcher = Watcher { source, time, crowd, names: JoinSet::new(), screen };
    let stop = stop_signal().map_err(broken)?;
    let _terminal = Terminal::open().map_err(broken)?;
    watcher.watch(stop).await
}

/// Everything that is shown, and where it comes from.
struct Watcher {
    source: Source,
    time: Time,
    crowd: Crowd,
    /// The names that are being asked for, one request at a time: keys do not wait for a server that does not answer.
    names: JoinSet<HashMap<String, String>>,
    screen: Screen,
}

impl Watcher {
    async fn watch(&mut self, stop: impl Future<Output = &'static str>) -> Result<(), Failure> {
        let mut stop = pin!(stop);
        let mut keys = EventStream::new();
        // For what is so many seconds ago.
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_frame = Instant::now();
        let mut is_old = true;
        loop {
            tokio::select! {
                told = self.source.next() => self.take(told?),
                input = keys.next() => {
                    let Some(input) = input else { return Ok(()) };
                    if self.press(&input.map_err(broken)?)? == Do::Quit {
                        return Ok(());
                    }
                }
                Some(Ok(names)) = self.names.join_next() => self.crowd.name(names),
                _ = ticks.tick() => self.ask_names(),
                _ = &mut stop => return Ok(()),
                () = sleep_until(next_frame), if is_old => {
                    self.draw().map_err(broken)?;
                    next_frame = Instant::now() + FRAME;
                    is_old = false;
                    continue;
                }
            }
            is_old = true;
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Event(event) => match self.crowd.take(&event) {
                News::Presence(somebody) => {
                    if let Some(since) = somebody.since {
                        self.time.not_before(since);
                    }
                }
                News::Current => self.screen.connection = Connection::Live,
                News::Nothing | News::Gone(_) => {}
            },
            Told::Away(why) => self.screen.connection = Connection::Away(why),
            Told::NoStreams => self.screen.is_polling = true,
            // What was missed comes next. A refusal is an error before it comes here.
            Told::Open | Told::Refused(_) => self.screen.connection = Connection::Coming,
        }
    }

    fn press(&mut self, input: &Input) -> Result<Do, Failure> {
        match input {
            Input::Key(key) => {
                let (_, lines) = size().map_err(broken)?;
                Ok(self.screen.press(*key, lines.into()))
            }
            // Another size, which is asked for when the next picture is drawn.
            _ => Ok(Do::Go),
        }
    }

    /// Asks what those are called who came since the start.
    fn ask_names(&mut self) {
        let nameless = self.crowd.nameless();
        if self.screen.connection == Connection::Live && self.names.is_empty() && !nameless.is_empty() {
            let remote = self.source.remote().clone();
            self.names.spawn(async move { super::name(&remote, nameless).await });
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let (width, height) = size()?;
        let host = self.source.remote().host();
        let size = (usize::from(width), usize::from(height));
        let lines = self.screen.lines(&self.crowd, host, &self.time.now(), size);
        let mut picture = Vec::new();
        queue!(picture, BeginSynchronizedUpdate)?;
        for (at, line) in (0_u16..).zip(&lines) {
            queue!(picture, MoveTo(0, at), Clear(ClearType::CurrentLine), Print(line))?;
        }
        queue!(picture, EndSynchronizedUpdate)?;
        let mut out = stdout().lock();
        out.write_all(&picture)?;
        out.flush()
    }
}

/// That the terminal shows another page, and keys come at once and unseen. It is as it was when this is dropped.
struct Terminal;

impl Terminal {
    fn open() -> io::Result<Terminal> {
        enable_raw_mode()?;
        let terminal = Terminal;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        // So that what a panic says can be read.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            usual(panic);
        }));
        Ok(terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// When it fails there is no terminal any more.
fn restore() {
    execute!(stdout(), Show, LeaveAlternateScreen).ok();
    disable_raw_mode().ok();
}

fn broken(cause: io::Error) -> Failure {
    Failure::new(INTERNAL, anyhow::Error::new(cause).context("the terminal does not answer"))
}
