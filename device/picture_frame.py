"""The picture frame: a press draws a picture, and it stays until there is another."""

import gc
from time import sleep_ms, ticks_diff, ticks_ms

from config import ConfigError
from frame_client import FrameClient, FrameError
from keys import Keys
from wifi import WiFi, WiFiError
from wishes import Wishes

LOOK = 25  # seconds for which the service holds the question for a newer picture
LONGEST_PAUSE = 60  # seconds between two tries while there is trouble
LONGEST_WAIT = 3600  # the same where the service says when to come again
MOST_LOSSES = 3  # how often a picture is asked for again after the service has lost it
PASSING = {0: "no service", 429: "not yet", 502: "no drawing", 503: "not now"}  # by status: goes away by itself
MOST_SILENCES = 5
READING = 10  # seconds for which something is left to be read
TICK = 50  # milliseconds between two looks at the keys


class Pressed(Exception):
    """A key was pressed while something was being done that can be left."""


class PictureFrame:
    """What is between the keys and the glass. Raises ConfigError for an address that is none."""

    def __init__(self, config, board, panel):
        self.config = config
        self.panel = panel
        self.dog = None  # the watchdog, once it runs
        self.keys = Keys(board.BUTTONS)
        self.wishes = Wishes(config["prompts"], self.keys.has_joystick)
        self.wifi = WiFi(config["ssid"], config["password"], config["power_saving"])
        # It asks once: the waiting is done here, where the panel tells of it and a press ends it.
        try:
            self.client = FrameClient(config["url"], panel, config["key"] or None, self.feed, retries=0)
            self.client.poll = 1 if config["live"] else 4
        except ValueError as why:
            raise ConfigError(f'config.json: "url": {why}.') from None

        self.wish = None  # what is to be drawn
        self.job = None  # where the service has it, once it was asked for
        self.losses = 0
        self.silences = 0  # how often in a row nobody answered
        self.picture = ""  # what the glass shows: a picture that was "wished" for, "found" or is "half" done; or words
        self.stale = True  # the picture has to be brought back: it is not there yet, or there are words over it
        self.told = ""
        self.pause = 0  # seconds until the next try
        self.may_leave = False  # whether a press may end what is being done
        self.asleep = False
        self.touched = ticks_ms()  # when somebody last had something to do with it

    # --- The story -------------------------------------------------------------------------------------------------

    def run(self):
        """Be a picture frame, for ever."""
        while True:
            try:
                self.obey(self.keys.take())
                self.turn()
            except Pressed:
                pass  # what was being done is left, and the key is obeyed next

    def turn(self):
        """Do what is to be done next. Raises Pressed."""
        gc.collect()
        try:
            if not self.wifi.is_up():
                self.join()
            elif self.wish:
                self.draw()
            elif self.stale:
                self.bring_back()
            elif self.config["follow"]:
                self.look()
            else:
                self.rest(LONGEST_PAUSE)
        except WiFiError as why:
            self.bear(str(why), "no Wi-Fi")
        except FrameError as why:
            self.fail(why)

    def obey(self, key):
        """Do what a press means; one on the sleeping display only wakes it. Raises Pressed."""
        if key is None:
            return
        self.touched = ticks_ms()
        if self.asleep:
            self.asleep = False
            self.panel.wake()
            return
        wish = self.wishes.of(key)
        if wish is None:
            self.tell(f"config.json has no prompt for {key}.", "no prompt for " + key)
            self.rest(3)
        elif wish != self.wish:
            self.give_up()
            self.wish = wish

    # --- What there is to do ---------------------------------------------------------------------------------------

    def join(self):
        """Get a connection."""
        ssid = self.config["ssid"]
        self.tell(f"Connecting to the Wi-Fi {ssid}.", "joining " + ssid)
        self.wifi.connect(self.rest)
        if not self.silences:
            self.pause = 0

    def draw(self):
        """Have the wish drawn. After trouble the next turn goes on where this one was."""
        if self.job is None:
            self.tell("Asking for a picture.", "asking")
            wish = dict(self.wish)
            self.job = self.client.submit(wish.pop("prompt"), **wish)
        try:
            self.leavable(self.client.wait, self.job, self.show_progress)
        except FrameError as why:
            if why.status not in (404, 410) or self.losses == MOST_LOSSES:
                raise
            self.losses += 1
            self.job = None  # the service began anew, and knows no jobs from before: the next turn asks again
            return
        self.wishes.keep(self.wish)
        print("Drawn with the seed", self.client.seed)
        self.wish, self.job, self.losses = None, None, 0
        self.touched = ticks_ms()
        self.settle("wished")

    def show_progress(self, told):
        """Show what there is of the picture, and over it how far it is. `told` is what the service says of the job."""
        state, part = told.get("state"), told.get("progress", 0)
        if told.get("live") and self.config["live"]:
            try:
                if self.client.progress():
                    self.picture = "half"
            except FrameError:
                pass  # the job itself is what counts
        self.stale = True
        words = ordinal(told.get("position", 0)) + " in line" if state == "queued" else f"{part * 100:.0f} %"
        self.tell("Drawing: " + words, words)
        self.panel.bar(part)

    def bring_back(self):
        """Show the last picture: the service's newest or, where it has forgotten that, the last wish drawn again."""
        self.client.etag = None
        if self.leavable(self.client.newest):
            print("The last picture is back.")
            self.settle("found")
        elif self.wishes.last and self.picture != "found":
            self.wish = self.wishes.last
        elif self.picture:
            self.panel.status("")  # nobody has it any more but the glass
            self.settle("found")
        else:
            buttons = " ".join(sorted([name for name in self.config["prompts"] if self.keys.has(name)]))
            self.tell("Ready. " + ("Press " + buttons if buttons else "Waiting for a picture") + ".", "")
            self.settle("")

    def look(self):
        """Show a newer picture for this display, whoever sent it."""
        seldom = self.asleep and self.config["power_saving"]
        wait, after = (0, LONGEST_PAUSE) if seldom else (LOOK, 1)
        if self.config["sleep_after"] and not self.asleep:
            wait = max(1, min(LOOK, self.config["sleep_after"] - self.idle()))
        if self.leavable(self.client.newest, wait):
            print("There is a newer picture.")
            self.settle("found")
        self.pause = 0
        self.rest(after)

    def give_up(self):
        """Have nothing drawn any more."""
        job, self.wish, self.job, self.losses, self.pause = self.job, None, None, 0, 0
        try:
            if job:
                self.client.cancel(job)
        except FrameError as why:
            print(why)  # then it is drawn for nobody

    # --- Trouble ---------------------------------------------------------------------------------------------------

    def fail(self, why):
        """Tell why the service gave no picture, and wait. Raises Pressed."""
        if why.status not in (0, 429):
            self.job = None
        self.silences = 0 if why.status else self.silences + 1
        if self.silences and self.silences % MOST_SILENCES == 0:
            self.wifi.leave()  # it may be the Wi-Fi, whatever the chip says: the next turn joins it anew
        if why.status in PASSING:
            self.bear(str(why), PASSING[why.status], why.again)
            return
        if self.wish and self.wish == self.wishes.last:
            self.wishes.last = None  # or it would be brought back again and again
        self.wish, self.losses = None, 0
        self.picture = ""  # this wants to be read: it takes the whole glass
        if why.status == 401:
            self.bear('The service wants a key: see "key" in config.json', "", READING)
        else:
            self.tell(str(why), "")
            self.rest(READING)

    def bear(self, sentence, short, again=None):
        """Tell what is wrong and wait: twice as long each time up to a minute, or as the service says."""
        self.pause = min(max(2, self.pause * 2), LONGEST_PAUSE)
        seconds = max(self.pause, min(again or 0, LONGEST_WAIT))
        self.tell(f"{sentence.rstrip('.')}. Again in {seconds} s.", f"{short}, {seconds} s")
        self.rest(seconds)

    # --- Small things ----------------------------------------------------------------------------------------------

    def tell(self, sentence, short):
        """Say the sentence on the glass, or only the short one where there is a picture."""
        if sentence != self.told:
            print(sentence)
        self.told, self.stale = sentence, True
        if self.picture:
            self.panel.status(short)
        else:
            self.panel.say(sentence)

    def settle(self, picture):
        """All is well: the glass shows `picture`."""
        self.picture, self.stale, self.told, self.pause, self.silences = picture, False, "", 0, 0

    def feed(self):
        """Feed the watchdog and look at the keys: called at least once a second, whatever is done. Raises Pressed."""
        if self.dog:
            self.dog.feed()
        self.keys.look()
        if self.may_leave and self.keys.pressed:
            raise Pressed

    def leavable(self, do, *arguments):
        """What `do` gives back; a press ends it. Raises Pressed."""
        self.may_leave = True
        try:
            return do(*arguments)
        finally:
            self.may_leave = False

    def rest(self, seconds):
        """Wait; send the display to sleep when it is time. Raises Pressed."""
        self.leavable(self._wait, int(seconds * 1000))

    def _wait(self, milliseconds):
        started = ticks_ms()
        while True:
            self.feed()
            if self.config["sleep_after"] and not self.asleep and self.idle() >= self.config["sleep_after"]:
                self.asleep = True
                self.panel.sleep()
            if ticks_diff(ticks_ms(), started) >= milliseconds:
                return
            sleep_ms(TICK)

    def idle(self):
        """Seconds since somebody last had something to do with it."""
        return ticks_diff(ticks_ms(), self.touched) // 1000


def ordinal(number):
    """1st, 2nd, 3rd, 4th and so on."""
    last = 0 if number // 10 % 10 == 1 else number % 10
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(last, "th")
