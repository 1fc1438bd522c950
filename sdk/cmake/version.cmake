# The one place that says which version this is.
set(SALLYPORT_VERSION 0.1.0)
