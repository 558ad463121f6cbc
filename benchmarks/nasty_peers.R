# Fits one table with mclust and prints what came of it, one fact a line; for benchmarks/nasty_peers.py.
suppressPackageStartupMessages(library(mclust))
given <- commandArgs(trailingOnly = TRUE)
path <- given[1]; k <- as.numeric(given[2]); model <- given[3]; n <- as.integer(given[4]); d <- as.integer(given[5])
tol <- given[6]; prior <- given[7]
flat <- function(x) paste(sprintf("%.17g", as.numeric(x)), collapse = " ")
line <- function(word, text) cat(word, "\t", gsub("[\t\n\r]+", " ", text), "\n", sep = "")
doubts <- character()
keep <- function(w) { doubts <<- c(doubts, conditionMessage(w)); invokeRestart("muffleWarning") }
fitted <- tryCatch(withCallingHandlers({
  if (grepl("[.]bin$", path)) {
    x <- matrix(readBin(path, "double", n * d), nrow = n, ncol = d)
  } else x <- read.csv(path)
  more <- list(data = x, G = k, verbose = FALSE)
  if (model != "-") more$modelNames <- if (ncol(x) == 1) substr(model, 1, 1) else model
  if (tol != "-") more$control <- emControl(tol = as.numeric(tol))
  if (prior == "conjugate") more$prior <- priorControl()
  do.call(Mclust, more)
}, warning = keep), error = function(e) e)
for (doubt in doubts) line("warning", doubt)
if (inherits(fitted, "error")) {
  line("error", conditionMessage(fitted))
} else if (is.null(fitted) || is.null(fitted$parameters)) {
  line("nothing", "NULL")
} else {
  p <- fitted$parameters
  dims <- if (is.matrix(p$mean)) nrow(p$mean) else 1
  sigma <- if (dims == 1) rep(p$variance$sigmasq, length.out = fitted$G) else p$variance$sigma
  line("size", paste(fitted$G, dims))
  line("weights", flat(if (fitted$G == 1) 1 else p$pro))
  line("means", flat(p$mean))
  line("covariances", flat(sigma))
  line("labels", paste(as.integer(fitted$classification) - 1L, collapse = " "))
  line("loglik", flat(fitted$loglik / fitted$n))
}
