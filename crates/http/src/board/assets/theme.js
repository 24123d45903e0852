/**
 * Dark or light, before anything is drawn: so this is no module, which would come too late.
 */
document.documentElement.dataset.theme = localStorage.getItem("porchlight.theme") ?? "";
