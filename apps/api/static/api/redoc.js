const at = document.getElementById("redoc");
Redoc.init(at.dataset.schema, { disableSearch: true, hideDownloadButton: false, theme: { typography: { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } } } }, at);
