// HTTPClient and NetworkClient over POSIX sockets, with the errors of the real ones.
#pragma once
#include <Arduino.h>
#include <arpa/inet.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <map>
#include <vector>

#define HTTP_CODE_OK 200

class NetworkClient : public Stream {
 public:
  ~NetworkClient() { stop(); }
  bool connect(const std::string &host, int port) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    return ::connect(socket_, (sockaddr *)&address, sizeof(address)) == 0;
  }
  void write(const std::string &text) { send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
  using Stream::readBytes;
  size_t readBytes(char *buffer, size_t length) override {
    timeval patience = {(time_t)(timeout_ / 1000), (suseconds_t)(timeout_ % 1000 * 1000)};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    size_t have = 0;
    for (ssize_t got; have < length && (got = recv(socket_, buffer + have, length - have, 0)) > 0;) have += got;
    return have;
  }
  void stop() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

 private:
  int socket_ = -1;
};

class HTTPClient {
 public:
  bool begin(NetworkClient &client, const String &url) {
    client_ = &client;
    url_ = url.c_str();
    return true;
  }
  void useHTTP10(bool use) { version_ = use ? "1.0" : "1.1"; }
  void setConnectTimeout(int32_t) {}
  void setTimeout(uint16_t milliseconds) { client_->setTimeout(milliseconds); }
  void addHeader(const String &name, const String &value) { asked_ += line(name.c_str(), value.c_str()); }
  void collectHeaders(const char *names[], size_t count) { wanted_.assign(names, names + count); }
  int POST(const String &body) {
    size_t place = url_.find("://") + 3, path = url_.find('/', place), colon = url_.find(':', place);
    std::string host = url_.substr(place, colon - place);
    if (!client_->connect(host, std::stoi(url_.substr(colon + 1, path - colon - 1)))) return -1;
    client_->write("POST " + url_.substr(path) + " HTTP/" + version_ + "\r\n" + line("Host", host) + asked_ +
                   line("Content-Length", std::to_string(body.length())) + line("Connection", "close") + "\r\n" +
                   body.c_str());
    std::string head;
    for (char one; head.find("\r\n\r\n") == std::string::npos; head += one) {
      if (client_->readBytes(&one, 1) != 1) return head.empty() ? -11 : -5;
    }
    return read(head);
  }
  int getSize() { return size_; }
  String header(const char *name) { return String(told_.count(name) ? told_[name] : ""); }
  String getString() {
    std::string body(size_ < 0 ? 0 : size_, ' ');
    body.resize(client_->readBytes(body.data(), body.size()));
    return String(body);
  }
  NetworkClient &getStream() { return *client_; }
  void end() { client_->stop(); }
  static String errorToString(int error) {
    return error == -1 ? "connection refused" : error == -11 ? "read Timeout" : "connection lost";
  }

 private:
  static std::string line(const std::string &name, const std::string &value) { return name + ": " + value + "\r\n"; }
  int read(const std::string &head) {
    for (size_t at = head.find("\r\n") + 2; at < head.size() - 2; at = head.find("\r\n", at) + 2) {
      std::string one = head.substr(at, head.find("\r\n", at) - at), name = one.substr(0, one.find(": "));
      std::string value = one.substr(one.find(": ") + 2);
      if (strcasecmp(name.c_str(), "Content-Length") == 0) size_ = std::stoi(value);
      for (auto &wanted : wanted_) {
        if (strcasecmp(name.c_str(), wanted.c_str()) == 0) told_[wanted] = value;
      }
    }
    return std::stoi(head.substr(9, 3));
  }

  NetworkClient *client_ = nullptr;
  std::string url_, asked_, version_ = "1.1";
  std::vector<std::string> wanted_;
  std::map<std::string, std::string> told_;
  int size_ = -1;
};
