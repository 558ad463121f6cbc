"""What a mixture is: its parameters, its sufficient statistics, its covariance models and its priors."""
