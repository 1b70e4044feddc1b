// Shows pictures of pico-a1111-proxy on an ESP32, with Arduino core 3 and the library TFT_eSPI.
//
// Not tested on hardware. It is compiled and run against stand-ins for the libraries only, on a PC.
//
// TFT_eSPI has to be told of your board in its User_Setup_Select.h; here the board is LilyGO's T-Display, Setup25.
// For another, change DISPLAY, WIDTH, HEIGHT and ROTATION. Colours are wrong? Look at the display's test card first.
// The pixels go from the network to the panel in bands of 16 rows: no frame buffer, and no PSRAM, is needed.
#include <HTTPClient.h>
#include <TFT_eSPI.h>
#include <WiFi.h>

const char *SSID = "your Wi-Fi";
const char *PASSWORD = "its password";
const char *SERVICE = "http://192.168.1.50:8080";
const char *KEY = "";                            // the service's SERVICE_API_KEY, if it has one
const char *PROMPT = "a mountain lake at sunset";  // without quotes and backslashes: it goes into JSON as it is
const uint32_t PAUSE = 60;                       // seconds between pictures

const char *DISPLAY_NAME = "lilygo-t-display";
const char *FORMAT = "rgb565-be";
const int WIDTH = 135;
const int HEIGHT = 240;
const int ROTATION = 0;
const int ROWS = 16;  // in a band

TFT_eSPI tft;
// Two more, since TFT_eSPI reads four bytes at a time, past the end of an odd number of pixels.
alignas(4) uint16_t band[WIDTH * ROWS + 2];

// The whole answer has to be a frame for this panel, before the first pixel is drawn. The sentence says what is wrong.
String faultOf(HTTPClient &http) {
  if (http.header("X-Image-Format") != FORMAT) {
    return "the pixels are " + http.header("X-Image-Format") + ", not " + FORMAT;
  }
  if (http.header("X-Image-Width").toInt() != WIDTH || http.header("X-Image-Height").toInt() != HEIGHT) {
    return "the frame has another size than the panel";
  }
  if (http.getSize() != WIDTH * HEIGHT * 2) {
    return String("the frame has ") + http.getSize() + " bytes";
  }
  return "";
}

// Sends the frame to the panel, band by band. False when it breaks off.
bool draw(HTTPClient &http) {
  Stream &pixels = http.getStream();
  pixels.setTimeout(10000);  // milliseconds of silence: the drawing is done, now it only has to come over
  for (int top = 0; top < HEIGHT; top += ROWS) {
    int rows = min(ROWS, HEIGHT - top);
    size_t bytes = (size_t)rows * WIDTH * 2;
    if (pixels.readBytes((uint8_t *)band, bytes) != bytes) {
      return false;
    }
    tft.pushImage(0, top, WIDTH, rows, band);
  }
  return true;
}

// Asks for a picture and shows it. Returns the seconds after which to ask again.
uint32_t showPicture() {
  static const char *wanted[] = {"Retry-After", "X-Image-Format", "X-Image-Width", "X-Image-Height"};
  NetworkClient client;
  HTTPClient http;
  http.begin(client, String(SERVICE) + "/displays/" + DISPLAY_NAME + "/sdapi/v1/txt2img");
  http.useHTTP10(true);
  http.setConnectTimeout(5000);
  http.setTimeout(65000);  // milliseconds, and the most there is: what takes longer is a job's matter, see docs/jobs.md
  http.addHeader("Content-Type", "application/json");
  http.addHeader("Accept", "application/octet-stream");
  if (*KEY) {
    http.addHeader("X-API-Key", KEY);
  }
  http.collectHeaders(wanted, sizeof(wanted) / sizeof(wanted[0]));

  uint32_t pause = PAUSE;
  String fault;
  int status = http.POST(String("{\"prompt\": \"") + PROMPT + "\"}");
  if (status < 0) {
    fault = HTTPClient::errorToString(status);
  } else if (status != HTTP_CODE_OK) {
    fault = String(status) + ": " + http.getString();
    long again = http.header("Retry-After").toInt();
    if (again > 0) {
      pause = again;
    }
  } else {
    fault = faultOf(http);
    if (fault == "" && !draw(http)) {
      fault = "the frame broke off";
    }
  }
  http.end();
  if (fault != "") {
    Serial.println(fault);
  }
  return pause;
}

void setup() {
  Serial.begin(115200);
  tft.init();
  tft.setRotation(ROTATION);
  tft.setSwapBytes(false);  // the service sends the high byte first, as the panel wants it
  tft.fillScreen(TFT_BLACK);
  if (tft.width() != WIDTH || tft.height() != HEIGHT) {
    Serial.println("TFT_eSPI is set up for another size than WIDTH and HEIGHT");
  }
  WiFi.mode(WIFI_STA);
  WiFi.setSleep(false);  // else answers stall for seconds
  WiFi.begin(SSID, PASSWORD);
}

void loop() {
  if (WiFi.status() != WL_CONNECTED) {
    delay(500);
    return;
  }
  delay(showPicture() * 1000);
}
