// Search from the disk: a browser starts no worker for a page that it opened as a file, so the
// worker's script runs in a hidden frame with the same messages.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const scope = this.frame.contentWindow;
      scope.postMessage = data => this.dispatchEvent(new MessageEvent("message", {data}));
      this.ready = load(this.frame, url);
      scope.importScripts = (...urls) => Promise.all(urls.map(each => load(this.frame, each)));
    }

    postMessage(data) {
      this.ready.then(() =>
        this.frame.contentWindow.dispatchEvent(new MessageEvent("message", {data})));
    }

    terminate() {
      this.frame.remove();
    }
  };
}

function load(frame, url) {
  return new Promise((resolve, reject) => {
    const script = frame.contentDocument.createElement("script");
    Object.assign(script, {src: url, onload: resolve, onerror: reject});
    frame.contentDocument.head.append(script);
  });
}
